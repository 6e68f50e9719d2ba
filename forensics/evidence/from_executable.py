"""What the executable adds to a log: the place of a kernel's fault line, the names of a call trace.

A log has addresses, and what it says of them besides decides whether the executable is the one that ran: the bytes
of code that the kernel and HAProxy print, and the extent of the mapping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence

from forensics.absence import Absence
from forensics.culprit import is_dying
from forensics.elf.constants import PF_X, PT_LOAD
from forensics.elf.header import ProgramHeader
from forensics.elf.image import ElfImage
from forensics.evidence.fact import Fact
from forensics.logs import BugReport, KernelFault, LogEvidence, Panic, Record, ThreadDump, TraceFrame, parse_bug
from forensics.logs.fatal import is_haproxy
from forensics.names import UNNAMED, plain_name
from forensics.record import record, replace
from forensics.source import Source
from forensics.symbols.machine_code import machine_code
from forensics.symbols.module import ModuleSymbols
from forensics.symbols.site import CodeSite

#: Memory is mapped in pages of this size (bytes) where kernels print such lines (x86).
_PAGE = 4096

#: Functions that end the process after they printed what they found: a report of a pool, of an endless loop.
_ENDING = {
    "pool_check_pattern": "pool_corruption",
    "pool_inspect_item": "pool_corruption",
    "stream_dump_and_crash": "spinning",
}

#: Frames of a panic that are named: those of 64 threads, as deep as HAProxy shows them in practice.
_MOST_NAMED = 2048

_REMEDY = "the executable that ran, with `--exe`"


@record
class Located:
    """An address of a log in the image. ``proven`` says that the bytes of code in the log are those of the file."""

    address: int
    proven: bool


def wants_executable(log: LogEvidence) -> bool:
    """Whether the death that the log tells has addresses that an executable could name."""
    fatal = log.fatal()
    return isinstance(fatal, BugReport | Panic) or (isinstance(fatal, KernelFault) and fatal.module is not None)


def locate_fault(fault: KernelFault, image: ElfImage) -> Located | Absence:
    """Where the fault happened in the image, or why this is not the image that ran."""
    found = _by_offset(fault, image) if fault.module_offset is not None else _by_mapping(fault, image)
    if isinstance(found, Absence):
        return found
    if "invalid opcode" in (fault.trap or "") and not _is_trap(image, found):
        return _another(image, "it has no illegal instruction at that place")
    if not fault.code or fault.code_ip is None:
        return Located(found, False)
    if image.read(found - fault.code_ip, len(fault.code)) != fault.code:
        return _another(image, "its code at that place is not what the kernel printed")
    return Located(found, True)


def _is_trap(image: ElfImage, address: int) -> bool:
    """Whether the instruction there is one that every processor refuses, as BUG_ON's is since 2.8."""
    machine, code = machine_code(image.header.machine), image.read(address, 8)
    return machine is not None and isinstance(code, bytes) and machine.is_trap(code)


def _another(image: ElfImage, why: str) -> Absence:
    return Absence("code that stopped", f"{image.path} is not the executable that ran: {why}", _REMEDY)


def _executable_segments(image: ElfImage) -> list[ProgramHeader]:
    return [one for one in image.segments if one.type == PT_LOAD and one.flags & PF_X]


def _by_offset(fault: KernelFault, image: ElfImage) -> int | Absence:
    """From the offset in the file, which kernels print since 6.x."""
    offset = fault.module_offset or 0
    for one in _executable_segments(image):
        if one.offset <= offset < one.offset + one.file_size:
            return one.address + offset - one.offset
    return _another(image, f"it has no code at offset {offset:#x}")


def _by_mapping(fault: KernelFault, image: ElfImage) -> int | Absence:
    """From the mapping that held the code: it begins where the text segment does, rounded to pages."""
    if fault.base is None or fault.size is None:
        return Absence("code that stopped", "the kernel's line tells no mapping", _REMEDY)
    for one in _executable_segments(image):
        start = one.address - one.address % _PAGE
        address = start + fault.ip - fault.base
        size = -(-(one.address + one.file_size - start) // _PAGE) * _PAGE
        if size == fault.size and one.address <= address < one.address + one.file_size:
            return address
    return _another(image, f"it has no code of {fault.size:#x} bytes, as the mapping had")


def collect_fault(log: LogEvidence, path: str, symbols: ModuleSymbols) -> Iterator[Fact | Absence]:
    """Function, file and line of the code at which the kernel saw HAProxy die."""
    fault, image = log.fatal(), symbols.files.image
    if not isinstance(fault, KernelFault) or image is None or not is_haproxy(fault.module):
        return
    located = locate_fault(fault, image)
    if isinstance(located, Absence):
        yield located
        return
    if not located.proven:
        what = "the kernel printed no code to compare it with: only the size of the mapping fits"
        if fault.module_offset is not None:
            what = "the kernel printed no code to compare it with: only the place fits"
        yield Absence(f"certainty that {image.path} is the executable that ran", what)
    same = "the same code bytes" if located.proven else "its code is not compared"
    source = Source(path, f"kernel line, by {image.path} ({same})", address=fault.ip, line=fault.line)
    trust = "derived" if located.proven else "assumed"
    site = symbols.site(located.address)
    yield from collect_check(symbols, site, located, source, trust)
    for fact in _place(site, source, trust, symbols.hint(located.address)):
        # A list of addresses goes deeper than the one place that the kernel tells.
        if not (log.address_lists and isinstance(fact, Fact) and fact.name == "stack"):
            yield fact
    yield from version_of(symbols, source, trust)


def collect_check(
    symbols: ModuleSymbols, site: CodeSite, located: Located, source: Source, trust: str
) -> Iterator[Fact | Absence]:
    """The assertion that ends there, by the text that the code before it loads."""
    sentence = symbols.sentence(located.address, _start(symbols, site, located.address))
    bug = parse_bug(Record(sentence.split("\n", 1)[0], 1)) if sentence else None
    if bug is None or not bug.fatal:
        return
    source = replace(source, what=f"{source.what}: text of the assertion before it")
    yield Fact("crash.kind", bug.kind, source, trust)
    if bug.condition:
        yield Fact("crash.condition", bug.condition, source, trust)
    if bug.file and bug.line_number:
        yield Fact("crash.source_file", bug.file, source, trust)
        yield Fact("crash.source_line", bug.line_number, source, trust)


def _start(symbols: ModuleSymbols, site: CodeSite, address: int) -> int:
    """Where the function or its fragment begins: call frame tables know it in stripped executables, too."""
    fragment = symbols.fragments if isinstance(symbols.fragments, Absence) else symbols.fragments.find(address)
    return site.start if isinstance(fragment, Absence) else fragment.start


def _place(site: CodeSite, source: Source, trust: str, hint: str) -> Iterator[Fact | Absence]:
    """The functions at the address, and the line of the innermost one that is not dying itself."""
    calls = [call for call in site.calls if not is_dying(call.function)]
    named = [plain_name(call.function) for call in calls if call.function] or [plain_name(site.symbol)]
    if not named[0]:
        what = f"this code has no name, as the executable is stripped{f'; {hint}' if hint else ''}"
        yield Absence("crash.function", f"{source.describe()}: {what}", "its debug symbols, with `--debug-dir`")
        return
    ending = next((_ENDING[name] for name in named if name in _ENDING), "")
    if ending:
        yield Fact("crash.kind", ending, replace(source, what=f"{source.what}: {named[0]}()"), trust)
    yield Fact("crash.function", named[0], source, trust)
    entries = (*(f"[{name}]" for name in named[:-1]), named[-1])
    yield Fact("stack", entries, source, trust)
    if calls and calls[0].file:
        yield Fact("crash.source_file", calls[0].file, source, trust)
        yield Fact("crash.source_line", calls[0].line, source, trust)


def version_of(symbols: ModuleSymbols, source: Source, trust: str) -> Iterator[Fact]:
    """The version of the executable as a fact, by its symbol haproxy_version (src/version.c)."""
    address = symbols.variable("haproxy_version")
    text = symbols.text(address, 80) if isinstance(address, int) else address
    if isinstance(text, str) and text[:1].isdigit() and text.isprintable():
        yield Fact("process.version", text, replace(source, what=f"{source.what}: symbol haproxy_version"), trust)


def named_by(log: LogEvidence, path: str, symbols: ModuleSymbols) -> Generator[Fact | Absence, None, LogEvidence]:
    """Returns the log with the call traces of its last death named by the executable, whose version is a fact then.

    Where it is another executable, that is a gap.
    """
    fatal, image = log.fatal(), symbols.files.image
    if not isinstance(fatal, BugReport | Panic) or image is None:
        return log
    traces = [fatal.frames] if isinstance(fatal, BugReport) else [thread.frames for thread in fatal.threads]
    bias = load_bias([frame for frames in traces for frame in frames], symbols, image)
    if isinstance(bias, Absence):
        if any(traces):
            yield bias
        return log
    yield from version_of(
        symbols, Source(path, f"call trace, by {image.path} (the same code bytes)", line=fatal.line), "derived"
    )
    if isinstance(fatal, BugReport):
        named = replace(fatal, frames=_named(fatal.frames, bias, symbols))
        return replace(log, bug_reports=tuple(named if one is fatal else one for one in log.bug_reports))
    threads = _named_threads(fatal.threads, bias, symbols)
    return replace(log, panics=tuple(replace(one, threads=threads) if one is fatal else one for one in log.panics))


def _named_threads(threads: Sequence[ThreadDump], bias: int, symbols: ModuleSymbols) -> tuple[ThreadDump, ...]:
    """The threads with named frames, the one that died first of all; the rest as long as it costs little."""
    left, named = _MOST_NAMED, {}
    for place, thread in sorted(enumerate(threads), key=lambda one: not one[1].requested):
        frames = _named(thread.frames[:left], bias, symbols) + thread.frames[left:]
        left = max(0, left - len(thread.frames))
        named[place] = replace(thread, frames=frames)
    return tuple(named[place] for place in range(len(threads)))


def _named(frames: Sequence[TraceFrame], bias: int, symbols: ModuleSymbols) -> tuple[TraceFrame, ...]:
    return tuple(_named_frame(frame, bias, symbols) for frame in frames)


def load_bias(frames: Sequence[TraceFrame], symbols: ModuleSymbols, image: ElfImage) -> int | Absence:
    """Where the image was loaded: each frame tells it, as its address is a symbol's plus an offset.

    The bytes that the trace shows of a frame must be those of the image.
    """
    votes: Counter[int] = Counter()
    for frame in frames:
        start = symbols.address_of(_base_symbol(frame)) if frame.module is None else 0
        bias = frame.address - start - (frame.offset or 0)
        if start and bias >= 0 and bias % _PAGE == 0:
            votes[bias] += 1
    for bias, _count in votes.most_common(3):
        own = [frame for frame in frames if frame.module is None and frame.code]
        equal = sum(_code_of(frame, bias, image) == frame.code for frame in own)
        # Code that a debugger or a patch changed in memory is rare: most of it must be the same.
        if equal * 4 >= len(own) * 3:
            return bias
    why = "its code is not what the call trace shows" if votes else "it has none of the symbols of the call trace"
    return Absence("names of the call trace", f"{image.path} is not the executable that ran: {why}", _REMEDY)


def _base_symbol(frame: TraceFrame) -> str:
    """The symbol that an address is shown relative to: ``main`` of ``main+0x1fea/0x2c66`` and of ``main-0x1771``."""
    return frame.symbol.split("/", 1)[0].replace("-0x", "+0x", 1).split("+0x", 1)[0]


def _code_of(frame: TraceFrame, bias: int, image: ElfImage) -> bytes | Absence:
    return image.read(frame.address - bias + frame.code_at, len(frame.code))


def _named_frame(frame: TraceFrame, bias: int, symbols: ModuleSymbols) -> TraceFrame:
    """The frame with the name of the physical function, and what DWARF tells of the place."""
    if frame.module is not None or frame.address <= bias:
        return frame
    # Frames are return addresses: the call before them is what was running.
    site = symbols.site(frame.address - bias - 1)
    physical = site.calls[-1].function if site.calls and site.calls[-1].function else site.symbol
    if not physical:
        return frame
    return replace(frame, function=plain_name(physical), places=_places(site, plain_name(physical)))


def _places(site: CodeSite, physical: str) -> tuple[str, ...]:
    """``function at file:line`` of each call at the place, innermost first, inlined ones in brackets."""
    shown = []
    for position, call in enumerate(site.calls):
        name = plain_name(call.function) or UNNAMED
        where = f" at {call.file}:{call.line}" if call.file else ""
        if not is_dying(name):
            shown.append((name if position == len(site.calls) - 1 else f"[{name}]") + where)
    return tuple(shown) or (physical,)
