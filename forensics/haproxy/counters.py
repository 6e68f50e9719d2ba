"""Which checks matched before the process died: the counters of section ``dbg_cnt``, from the core's memory.

HAProxy 3.1 and later (and later releases of older branches) count each BUG_ON, WARN_ON, CHECK_IF, COUNT_IF
and COUNT_GLITCH where it stands (``struct debug_count``, include/haproxy/bug.h). A BUG_ON counts before it
ends the process, so a core names the one that did, also where several share the code that crashes.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.record import record
from forensics.symbols.checks import ENTRY, KINDS, MAX_CHECKS, Check, parse_check
from forensics.symbols.module import ModuleSymbols
from forensics.unwind.backtrace import Process

#: A section with more entries than this fraction that cannot be ones is damaged, or something else.
_DAMAGED = 4


@record
class Counter:
    """One check that matched: ``kind`` of ``KINDS``, where it stands, what it checks, and how often it matched.

    ``fatal`` tells whether it ends the process; None where no file of the build says so.
    """

    kind: str
    file: str
    line: int
    function: str
    condition: str
    explanation: str
    count: int
    fatal: bool | None

    @property
    def place(self) -> tuple[str, int]:
        """File and line."""
        return self.file, self.line


@record
class Counters:
    """The checks of the process that matched, in the order of the section, and how many there are in all.

    ``counting`` says whether checks that only count did so (``debug counters off``; releases without the
    switch always do).
    """

    hits: tuple[Counter, ...]
    total: int
    address: int
    counting: bool = True

    def fatal(self) -> tuple[Counter, ...]:
        """Those that end a process, as far as is known."""
        return tuple(one for one in self.hits if one.kind in ("bug", "bug_once") and one.fatal is not False)


def read_counters(process: Process, *, zero: bool = False) -> Counters | Absence:
    """The checks that matched; with ``zero`` those that never did, too."""
    module = process.core.main_module
    if isinstance(module, Absence):
        return module
    symbols = process.symbols(module)
    start, stop = symbols.check_borders()
    if not stop:
        return Absence("counters of checks", "the executable has none, or no file of its build is at hand", "`--exe`")
    size = stop - start
    if not 0 < size <= MAX_CHECKS * ENTRY.size or size % ENTRY.size:
        return Absence("counters of checks", f"section dbg_cnt has an odd size ({size} bytes)")
    data = process.core.memory.read(module.base + start, size)
    if isinstance(data, Absence):
        return Absence("counters of checks", f"the core does not hold them: {data.reason}", "a complete core")
    return _hits(process, module, symbols, start, data, zero)


def _hits(
    process: Process, module: Module, symbols: ModuleSymbols, start: int, data: bytes, zero: bool
) -> Counters | Absence:
    """The entries of ``data`` that counted, or all; the section begins at ``start`` of the image."""
    hits, damaged = [], 0
    rows = [data[place : place + ENTRY.size] for place in range(0, len(data), ENTRY.size)]
    for index, row in enumerate(rows):
        if not _looks_right(row):
            damaged += 1
        elif zero or ENTRY.unpack(row)[6]:
            hit = _hit(process, module, symbols, start + index * ENTRY.size, row)
            damaged += hit is None
            hits += [] if hit is None else [hit]
    if damaged * _DAMAGED > len(rows):
        return Absence("counters of checks", f"{damaged} of {len(rows)} entries of section dbg_cnt are damaged")
    return Counters(tuple(hits), len(rows), module.base + start, _is_counting(process, module, symbols))


def _is_counting(process: Process, module: Module, symbols: ModuleSymbols) -> bool:
    """The switch ``debug_enable_counters`` (src/debug.c)."""
    switch = symbols.variable("debug_enable_counters")
    data = switch if isinstance(switch, Absence) else process.core.memory.read(module.base + switch, 4)
    return data != bytes(4)


def _looks_right(row: bytes) -> bool:
    file, function, description, line, kind, _details, _count = ENTRY.unpack(row)
    return bool(file and function and description and line and kind < len(KINDS))


def _hit(process: Process, module: Module, symbols: ModuleSymbols, address: int, row: bytes) -> Counter | None:
    """One entry that counted, with its texts; None for one whose texts cannot be ones."""

    def text_at(pointer: int, most: int) -> str:
        found = process.core.memory.string(pointer, most)
        if isinstance(found, Absence):
            # Constants are in the core only when coredump_filter asks for them.
            found = symbols.text(pointer - module.base, most)
        return "" if isinstance(found, Absence) else found

    parsed = parse_check(row, address, text_at)
    if parsed is None:
        known = symbols.checks.by_address.get(address)
        if known is None:
            return None
        parsed = known, ENTRY.unpack(row)[6]
    check, count = parsed
    return Counter(check.kind, check.file, check.line, check.function, check.condition, check.explanation, count,
                   _fatal(symbols, check))  # fmt: skip


def _fatal(symbols: ModuleSymbols, check: Check) -> bool | None:
    """Whether the check ends the process."""
    if check.kind not in ("bug", "bug_once"):
        return False
    return symbols.is_fatal(check.file, check.line)
