"""Backtraces of a core: every thread, every frame, inlined ones included."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.core import CoreDump
from forensics.elf.module import VDSO, Module
from forensics.elf.notes import ThreadStatus
from forensics.memory.random_access import RandomAccess
from forensics.names import plain_name
from forensics.symbols.archive import Archive, find_archive
from forensics.symbols.find import ModuleFiles, Places, find_files, vdso_bytes
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.site import Call
from forensics.unwind.architecture import Architecture, architecture_for
from forensics.unwind.frame import Frame, ThreadStack
from forensics.unwind.rule import UnwindRow
from forensics.unwind.tables import ModuleRows
from forensics.unwind.walk import Step, Walk, walk

if TYPE_CHECKING:
    from forensics.symbols.dwarf.call_sites import CallSite

#: The name that gdb gives to the frame between a handler and the code that was interrupted.
SIGNAL_HANDLER = "<signal handler called>"


class Process:
    """The code of a dead process: modules with their symbols, opened when a frame needs them."""

    def __init__(self, core: CoreDump, places: Places) -> None:
        self.core = core
        self.architecture = architecture_of(core)
        self._places = places
        self._starts = [module.start for module in core.modules]
        self._symbols: dict[int, ModuleSymbols] = {}
        self._rows: dict[int, ModuleRows] = {}

    def module_at(self, address: int) -> Module | Absence:
        """The module that holds ``address``."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.core.modules[index].end:
            return self.core.modules[index]
        return Absence(f"module at {address:#x}", "no mapped file holds this address")

    def symbols(self, module: Module) -> ModuleSymbols:
        """The symbols of ``module``."""
        found = self._symbols.get(module.start)
        if found is None:
            files = find_files(module, self._places, self._image_in_memory(module), self._archive)
            if files.image is None and files.pack is None and module.path != VDSO:
                self._use_memory(files)
            found = self._symbols[module.start] = ModuleSymbols(files)
        return found

    @cached_property
    def _archive(self) -> Archive | Absence:
        """The files that the process itself kept in memory."""
        return find_archive(self.core.memory)

    def fetch(self) -> bool:
        """Ask debuginfod for the files that are missing so far, if that is allowed; whether any came.

        What was known of their modules is then forgotten: the stacks are to be unwound again.
        """
        if not self._places.may_fetch:
            return False
        from forensics.symbols.debuginfod.fetch import fetch_missing, missing_of

        came = fetch_missing(self.files, self._places)
        for start, symbols in list(self._symbols.items()):
            if any(one.build_id in came for one in missing_of(symbols.files)):
                del self._symbols[start]
                self._rows.pop(start, None)
        return bool(came)

    def _image_in_memory(self, module: Module) -> RandomAccess | None:
        if module.path != VDSO:
            return None
        data = self.core.memory.read(module.start, module.end - module.start)
        return vdso_bytes(data) if isinstance(data, bytes) else None

    def _use_memory(self, files: ModuleFiles) -> None:
        """Where no file was found, the pages of the image that the core holds."""
        from forensics.elf.mapped import mapped_image

        image = mapped_image(self.core.memory, files.module)
        if not isinstance(image, Absence):
            files.image, files.in_memory = image, True
            files.tried.append("memory of the core: it holds pages of the image, which are used")

    def rows(self, module: Module) -> ModuleRows:
        """The call frame rows of ``module``."""
        found = self._rows.get(module.start)
        if found is None:
            found = self._rows[module.start] = ModuleRows(self.symbols(module))
        return found

    def row(self, address: int) -> UnwindRow | Absence:
        """How to unwind from ``address`` of the process."""
        module = self.module_at(address)
        return module if isinstance(module, Absence) else self.rows(module).row(address - module.base)

    def code(self, address: int, size: int) -> bytes | Absence:
        """The bytes of code at ``address``: of the module's file, else of the core."""
        module = self.module_at(address)
        image = None if isinstance(module, Absence) else self.symbols(module).files.image
        if image is not None and isinstance(module, Module):
            found = image.read(address - module.base, size)
            if isinstance(found, bytes):
                return found
        return self.core.memory.read(address, size)

    def function_at(self, address: int) -> tuple[str, int]:
        """Name (without the suffix of clones) and start of the function at ``address``; ("", 0) for none known."""
        module = self.module_at(address)
        if isinstance(module, Absence):
            return "", 0
        site = self.symbols(module).site(address - module.base)
        return (plain_name(site.symbol), site.start + module.base) if site.symbol else ("", 0)

    def is_main(self, address: int) -> bool:
        """Whether ``address`` lies in the executable's ``main()``."""
        module = self.module_at(address)
        return isinstance(module, Module) and module.main and self._in_main(module, address - module.base)

    def _in_main(self, module: Module, address: int) -> bool:
        site = self.symbols(module).site(address)
        return site.calls[-1].function == "main" if site.calls else plain_name(site.symbol) == "main"

    def tail_calls(self, return_pc: int, callee: int) -> list[int]:
        """Return addresses of functions that jumped on, between a call and the code running below it.

        Only what DWARF tells of the jumps; kept with the records of the callee's build, each with the module that
        holds it: the caller's (1: HAProxy's ha_tkill() jumps into libc) or the callee's (0).
        """
        caller, running = self.module_at(return_pc - 1), self.module_at(callee)
        if isinstance(caller, Absence) or isinstance(running, Absence):
            return []
        symbols = self.symbols(running)
        if symbols.from_core:
            return []
        bases = (running.base, caller.base)
        known = caller is running or isinstance(caller.build_id, str)
        kept = symbols.records.records("jumps") if known else {}
        key = (
            f"{callee - running.base:x} {caller.build_id if caller is not running else ''} {return_pc - caller.base:x}"
        )
        if key not in kept:
            kept[key] = self._find_tail_calls(caller, running, return_pc, callee)
        return [int(address) + bases[bool(place)] for place, address in kept[key]]

    def _find_tail_calls(self, caller: Module, running: Module, return_pc: int, callee: int) -> list[list[int]]:
        """Pairs: 1 for the caller's module, else 0; the return address less that module's base."""
        from forensics.unwind.tail_calls import Jump, jumps_between

        def sites_of(start: int) -> list[Jump]:
            module = caller if caller.start <= start < caller.end else running
            _entry, sites = self.symbols(module).call_sites(start - module.base)
            return [Jump(site.return_pc + module.base, resolve(module, site), site.tail) for site in sites]

        def resolve(module: Module, site: CallSite) -> int:
            if site.target:
                return site.target + module.base
            for place in (module, running) if site.name else ():
                address = self.symbols(place).address_of(site.name)
                if address:
                    return address + place.base
            return 0

        calling, _sites = self.symbols(caller).call_sites(return_pc - 1 - caller.base)
        start, _sites = self.symbols(running).call_sites(callee - running.base)
        if not start:  # the function that runs need not have DWARF
            site = self.symbols(running).site(callee - running.base)
            start = site.start if site.symbol else 0
        if not calling or not start:
            return []
        found = jumps_between(sites_of, calling + caller.base, return_pc, start + running.base)
        return [[0, address - running.base] if running.start <= address < running.end else [1, address - caller.base]
                for address in found]  # fmt: skip

    @property
    def files(self) -> tuple[ModuleFiles, ...]:
        """The files of the modules that were needed so far."""
        return tuple(symbols.files for symbols in self._symbols.values())

    def save(self) -> None:
        """Keep what was found out about each build."""
        for symbols in self._symbols.values():
            symbols.save()


def architecture_of(core: CoreDump) -> Architecture:
    """The processor of ``core``."""
    layout = core.layout
    found = architecture_for(core.machine, bits=layout.bits, big_endian=layout.big_endian)
    if not found.unwindable or found.link < 0:
        return found
    if core.code_mask:
        return found.with_code_mask(~core.code_mask & (1 << 55) - 1)
    # User space has 48 bits of address; 52 where a process asked for them (arm64's Documentation, memory.rst).
    wide = bool(core.memory.segments) and core.memory.segments[-1].end > 1 << 48
    return found.with_code_mask((1 << 52) - 1) if wide else found


def backtraces(process: Process) -> tuple[ThreadStack, ...]:
    """The stacks of all threads, in the order of the core: the one that died first."""
    stacks = _backtraces(process)
    while process.fetch():
        # Code that was missing may lead to other modules; each file is asked for once.
        stacks = _backtraces(process)
    return stacks


def _backtraces(process: Process) -> tuple[ThreadStack, ...]:
    core = process.core
    numbers = thread_numbers(core)
    stacks = []
    for place, thread in enumerate(core.threads):
        walked = _walk(process, thread)
        frames = tuple(_frames(process, walked.steps))
        crashed = place == 0 and core.signal is not None
        stacks.append(ThreadStack(thread.lwp, numbers[thread.lwp], crashed, frames, walked.stop))
    return tuple(stacks)


def _walk(process: Process, thread: ThreadStatus) -> Walk:
    architecture = process.architecture
    registers = architecture.registers(thread.registers)
    if architecture.unwindable:
        return walk(
            registers,
            architecture,
            process.core.memory,
            process.row,
            process.is_main,
            process.code,
            process.function_at,
        )
    pc = registers.get(architecture.pc)
    steps = () if pc is None else (Step(pc, pc, registers.get(architecture.sp, 0), "context", False),)
    return Walk(steps, f"stacks of {architecture.name} are not unwound here: `gdb-multiarch EXECUTABLE CORE` does")


def thread_numbers(core: CoreDump) -> dict[int, int]:
    """HAProxy's numbers of the threads (from 1), by LWP.

    The main thread is number 1 and creates the others in order, before anything else
    makes threads (src/thread.c), so their LWPs ascend; unless the kernel's numbers
    wrapped around just then.
    """
    main = core.process.pid if core.process else 0
    ordered = sorted({thread.lwp for thread in core.threads}, key=lambda lwp: (lwp != main, lwp))
    return {lwp: number for number, lwp in enumerate(ordered, 1)}


def _frames(process: Process, steps: tuple[Step, ...]) -> Iterator[Frame]:
    index = 0
    for step in _with_tail_calls(process, steps):
        for frame in _expand(process, step, index):
            yield frame
            index += 1


def _with_tail_calls(process: Process, steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps, and between them the functions that jumped on and left no frame."""
    for step, caller in zip(steps, (*steps[1:], None), strict=False):
        yield step
        # Code that a signal interrupted did not call the handler.
        if caller is None or step.signal or caller.lookup == caller.pc:
            continue
        for pc in process.tail_calls(caller.pc, step.lookup):
            yield Step(pc, pc - 1, caller.sp, "cfi", False, tail=True, registers=caller.registers)


def _expand(process: Process, step: Step, index: int) -> Iterator[Frame]:
    """The frames of one step: inlined calls first, then the function they were inlined into."""
    module = process.module_at(step.lookup)
    if isinstance(module, Absence):
        name, status = (SIGNAL_HANDLER, "signal_handler") if step.signal else ("", "no_module")
        yield Frame(index, step.pc, name, "", 0, "", 0, "", False, step.trust, status,
                    lookup=step.lookup, registers=step.registers)  # fmt: skip
        return
    symbols = process.symbols(module)
    site = symbols.site(step.lookup - module.base)
    start = module.base + site.start if site.symbol else module.base
    offset = step.pc - start
    if step.signal:
        yield Frame(index, step.pc, SIGNAL_HANDLER, site.symbol, offset, "", 0, module.path, False, step.trust,
                    "signal_handler", lookup=step.lookup, registers=step.registers)  # fmt: skip
        return
    status = _status(symbols, site.symbol or (site.calls and site.calls[-1].function))
    calls = site.calls or (Call(site.symbol, "", 0),)
    if step.tail:
        # gdb loses the function that a call was inlined into when that function jumped on; so do we, to be
        # comparable: the calls that matter to HAProxy are not of this kind.
        calls = calls[:1]
    # Only HAProxy has assertions whose text names their file.
    hint = symbols.hint(step.lookup - module.base) if status == "no_symbol" and module.main else ""
    for place, call in enumerate(calls):
        inlined = place < len(calls) - 1
        symbol = "" if inlined else site.symbol
        yield Frame(index + place, step.pc, call.function, symbol, offset, call.file, call.line, module.path,
                    inlined, step.trust, status, step.tail, hint, step.lookup, step.registers)  # fmt: skip


def _status(symbols: ModuleSymbols, named: object) -> str:
    if named:
        return "symbolicated"
    if symbols.found:
        return "no_symbol"
    return "mismatched" if symbols.files.status == "mismatched" else "no_executable"
