"""`show libs`: the executable and its libraries, one a line: first and last address, size, path (2.6 and later)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.constants import AT_EXECFN, PT_LOAD
from forensics.elf.core import CoreDump
from forensics.elf.module import Module, mapped_segments
from forensics.elf.unlisted import linked_libraries
from forensics.haproxy.state import State
from forensics.record import record
from forensics.show.answer import Answer, Question


@record
class _Library:
    """One module: ``first`` and ``last`` of its addresses, by the ``path`` under which the process knew it."""

    module: Module
    path: str
    first: int
    last: int


def answer(state: State, _question: Question) -> Answer | Absence:
    """The modules as the dynamic linker listed them, then those that it did not know."""
    core = state.process.core
    if not core.modules:
        return Absence("modules", "the core lists none (no NT_FILE)", "a core written by the kernel")
    found = [_library(core, *pair) for pair in _in_order(core)]
    return Answer(lambda: _lines(found), lambda: [_plain(one) for one in found])


def _in_order(core: CoreDump) -> Iterator[tuple[Module, str]]:
    """The executable, its libraries in the linker's order, and what is mapped but not on its list (a damaged one).

    HAProxy leaves out what has no file, such as the vdso.
    """
    by_base = {one.base: one for one in core.modules if "/" in one.path}
    main = core.main_module
    if isinstance(main, Module):
        given = core.memory.string(core.auxv.get(AT_EXECFN, 0), 4096)
        yield main, given if isinstance(given, str) and given else main.path
        by_base.pop(main.base, None)
    for base, path in linked_libraries(core.memory, core.auxv):
        if base in by_base and "/" in path:
            yield by_base.pop(base), path
    yield from ((one, one.path) for one in by_base.values())


def _library(core: CoreDump, module: Module, path: str) -> _Library:
    """The module with its addresses to the byte, as its program headers have them; a core's list of files has pages."""
    loads = [one for one in mapped_segments(core.memory, module.start) if one.size and one.type == PT_LOAD]
    if not loads:
        return _Library(module, path, module.start, module.end - 1)
    first = min(one.address for one in loads)
    last = max(one.address + one.size for one in loads) - 1
    return _Library(module, path, module.base + first, module.base + last)


def _lines(libraries: list[_Library]) -> Iterator[str]:
    for one in libraries:
        yield f"{one.first:#014x}-{one.last:#014x} ({one.last - one.first + 1:#09x}) {one.path}"


def _plain(one: _Library) -> dict[str, object]:
    build_id = one.module.build_id if isinstance(one.module.build_id, str) else ""
    file = one.module.path
    return {"address": one.first, "end": f"{one.last + 1:#x}", "path": one.path, "file": file, "build_id": build_id}
