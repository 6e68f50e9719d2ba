"""Names for the addresses of pasted stacks, by the executable and by what the same text tells of where it lay.

Where the executable lay follows from any of: a mapping of it (/proc/PID/maps, `info proc mappings`), the kernel's line
of the fault, and frames that have an offset beside their address (systemd-coredump, backtrace_symbols() of libc).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator

from forensics.absence import Absence
from forensics.culprit import SIGNAL_FRAME, is_dying
from forensics.elf.constants import PF_X, PT_LOAD
from forensics.elf.image import ElfImage
from forensics.evidence.bias_by_calls import bias_by_calls
from forensics.evidence.fact import Fact
from forensics.evidence.from_executable import Located, collect_check, locate_fault, version_of
from forensics.logs import (
    CoredumpFrame,
    CoredumpReport,
    CoredumpThread,
    LogEvidence,
    PastedBacktrace,
    PastedFrame,
    PastedThread,
)
from forensics.logs.fatal import is_haproxy
from forensics.names import UNNAMED, plain_name
from forensics.record import record, replace
from forensics.source import Source
from forensics.symbols.machine_code import machine_code
from forensics.symbols.module import ModuleSymbols

_PAGE = 4096
_REMEDY = "the executable that ran, with `--exe`"
_BASE = (
    "where the executable lay, in the same text: its lines of /proc/PID/maps, the kernel's line of the fault, or the"
    " frames as `coredumpctl info` prints them; or a deeper stack, of seven addresses at the least"
)
#: Mappings, and frames of all threads, that are looked at.
_MOST_MAPPINGS, _MOST_FRAMES = 64, 4096


@record
class Loaded:
    """Where the image lay: the ``bias`` to add to its addresses, ``told`` by which words of the text."""

    bias: int
    told: str


def wants_names(log: LogEvidence) -> bool:
    """Whether the death that a log tells of has a stack with addresses that lack a name, or have one of two.

    With debug information systemd-coredump names the innermost inlined function, not the one that has the frame.
    """
    told = _told(log)
    if isinstance(told, CoredumpReport) and any(is_haproxy(frame.module) for frame in _frames(told)):
        return True
    return any(frame.function == UNNAMED for frame in _frames(told) if frame.address is not None)


def _told(log: LogEvidence) -> PastedBacktrace | CoredumpReport | None:
    """The stack of the death: that of its witness, else one of addresses alone."""
    fatal = log.fatal()
    if isinstance(fatal, PastedBacktrace | CoredumpReport):
        return fatal
    return log.address_lists[-1] if log.address_lists else None


def _frames(told: PastedBacktrace | CoredumpReport | None) -> Iterator[PastedFrame | CoredumpFrame]:
    for thread in told.threads if told is not None else ():
        yield from thread.frames


def name_addresses(log: LogEvidence, path: str, symbols: ModuleSymbols) -> Generator[Fact | Absence, None, LogEvidence]:
    """Returns the log with its stack named; places of the frames and the version are facts. Gaps say what lacks."""
    told, image = _told(log), symbols.files.image
    if told is None or image is None or not wants_names(log):
        return log
    loaded = _loaded(log, told, symbols, image)
    if isinstance(loaded, Absence):
        yield loaded
        return log
    wrong = _contradicted(told, loaded, symbols, image)
    if wrong:
        yield Absence("names of the stack", f"{image.path} is not the executable that ran: {wrong}", _REMEDY)
        return log
    agreeing = any(_agrees(frame, loaded, symbols) for frame in _frames(told))
    if not agreeing:
        why = "no frame has a name to compare with, only the places fit"
        yield Absence(f"certainty that {image.path} is the executable that ran", why)
    trust = "derived" if agreeing else "assumed"
    source = Source(path, f"addresses, by {image.path} and {loaded.told}", line=told.line)
    yield from version_of(symbols, source, trust)
    if isinstance(told, CoredumpReport):
        named = replace(told, threads=tuple(_named_coredump(told, loaded, symbols, image)))
        return replace(log, coredumps=tuple(named if one is told else one for one in log.coredumps))
    pasted = replace(told, threads=tuple(_named_paste(told, loaded, symbols, image)))
    crashed = pasted.crashed
    if crashed is not None:
        yield Fact("stack.places", tuple(map(_place, crashed.frames)), source, trust)
        yield from _own_end(crashed.frames[0], loaded, symbols, image, source)
    return replace(
        log,
        backtraces=tuple(pasted if one is told else one for one in log.backtraces),
        address_lists=tuple(pasted if one is told else one for one in log.address_lists),
    )


def _loaded(
    log: LogEvidence, told: PastedBacktrace | CoredumpReport, symbols: ModuleSymbols, image: ElfImage
) -> Loaded | Absence:
    """Where the image lay, by the word that most of the text agrees on."""
    votes: Counter[int] = Counter()
    words: dict[int, str] = {}
    for bias, word in (*_by_frames(told, symbols, image), *_by_mappings(log, image), *_by_kernel(log, image)):
        if bias >= 0 and bias % _PAGE == 0:
            votes[bias] += 1
            words.setdefault(bias, word)
    fitting = [
        bias for bias, _count in votes.most_common() if any(_inside(image, at - bias) for at in _addresses(told))
    ]
    if fitting:
        return Loaded(fitting[0], words[fitting[0]])
    if votes:
        return Absence("names of the stack", f"no address of it lies in {image.path} as it was mapped", _REMEDY)
    if image.header.type == 2 and any(_inside(image, at) for at in _addresses(told)):
        return Loaded(0, "as it is always loaded at one place")
    guessed = bias_by_calls(_addresses_of_crashed(told), image)
    if isinstance(guessed, int):
        return Loaded(guessed, "the calls before its return addresses, which fit at one place only")
    return Absence("names of the stack", "nothing tells where the executable lay in memory", _BASE)


def _own_end(
    frame: PastedFrame, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage, source: Source
) -> Iterator[Fact | Absence]:
    """The assertion that failed, where the innermost address is an instruction by which HAProxy ends itself."""
    machine = machine_code(image.header.machine)
    if machine is None or frame.address is None or frame.index:
        return
    address = frame.address - loaded.bias
    code = image.read(address, 16)
    if isinstance(code, bytes) and (machine.is_trap(code) or machine.is_store(code)):
        what = f"{source.what}: its first one is an instruction by which HAProxy ends itself"
        yield from collect_check(
            symbols, symbols.site(address), Located(address, True), replace(source, what=what), "derived"
        )


def _addresses(told: PastedBacktrace | CoredumpReport) -> list[int]:
    return [frame.address for frame in _frames(told) if frame.address is not None][:_MOST_FRAMES]


def _addresses_of_crashed(told: PastedBacktrace | CoredumpReport) -> list[int]:
    """Those of the thread that died, as far as they are nobody else's code by its name."""
    thread = told.crashed if isinstance(told, PastedBacktrace) else next(iter(told.threads), None)
    frames = thread.frames if thread is not None else ()
    return [
        frame.address
        for frame in frames
        if frame.address is not None and (frame.module is None or is_haproxy(frame.module))
    ]


def _inside(image: ElfImage, address: int) -> bool:
    """Whether this is an address of code in the image."""
    return any(
        one.type == PT_LOAD and one.flags & PF_X and one.address <= address < one.address + one.file_size
        for one in image.segments
    )


def _start(image: ElfImage) -> int:
    """The address in the image that lies where the first page of the file was mapped."""
    first = next((one for one in image.segments if one.type == PT_LOAD), None)
    return first.address - first.offset if first is not None else 0


def _by_frames(
    told: PastedBacktrace | CoredumpReport, symbols: ModuleSymbols, image: ElfImage
) -> Iterator[tuple[int, str]]:
    for frame in _frames(told):
        if isinstance(frame, CoredumpFrame):
            if frame.module_offset is not None and is_haproxy(frame.module):
                yield frame.address - frame.module_offset - _start(image), "its offsets in systemd-coredump's message"
        elif frame.address is not None and frame.offset is not None and is_haproxy(frame.module):
            start = _start(image) if frame.function == UNNAMED else symbols.address_of(frame.function)
            if start or frame.function == UNNAMED:
                yield frame.address - start - frame.offset, "its offsets beside the addresses"


def _by_mappings(log: LogEvidence, image: ElfImage) -> Iterator[tuple[int, str]]:
    for one in log.mappings[:_MOST_MAPPINGS]:
        for segment in image.segments:
            first = segment.offset - segment.offset % _PAGE
            if segment.type == PT_LOAD and first <= one.offset < segment.offset + max(segment.file_size, 1):
                yield one.start - one.offset - segment.address + segment.offset, f"its mapping in line {one.line}"
                break


def _by_kernel(log: LogEvidence, image: ElfImage) -> Iterator[tuple[int, str]]:
    for fault in log.kernel_faults:
        located = locate_fault(fault, image) if is_haproxy(fault.module) else None
        if located:
            yield fault.ip - located.address, f"the kernel's line {fault.line}"


def _agrees(frame: PastedFrame | CoredumpFrame, loaded: Loaded, symbols: ModuleSymbols) -> bool:
    """Whether a frame that has a name has it in the image, too."""
    if frame.address is None or frame.function in (UNNAMED, SIGNAL_FRAME):
        return False
    return plain_name(frame.function) in _names_at(frame.address - loaded.bias, symbols)


def _names_at(address: int, symbols: ModuleSymbols) -> set[str]:
    """The functions at an address, and those at the call before it."""
    sites = (symbols.site(address), symbols.site(address - 1))
    return {plain_name(name) for site in sites for name in (site.symbol, *(call.function for call in site.calls))}


def _contradicted(
    told: PastedBacktrace | CoredumpReport, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage
) -> str:
    """What the names of frames in the image have against it, "" for nothing: most of them are others there."""
    named = [
        frame
        for frame in _frames(told)
        if frame.address is not None
        and frame.function not in (UNNAMED, SIGNAL_FRAME)
        and _inside(image, frame.address - loaded.bias)
    ][:64]
    differing = [frame for frame in named if not _agrees(frame, loaded, symbols)]
    if len(differing) * 2 <= len(named):
        return ""
    return f"it has no {differing[0].function}() where the stack has it"


def _named_coredump(
    report: CoredumpReport, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage
) -> Iterator[CoredumpThread]:
    for thread in report.threads:
        yield replace(thread, frames=tuple(_named_entry(frame, loaded, symbols, image) for frame in thread.frames))


def _named_entry(frame: CoredumpFrame, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage) -> CoredumpFrame:
    if not _inside(image, frame.address - loaded.bias):
        return frame
    site = symbols.site(frame.address - loaded.bias - (frame.index > 0))
    name = site.calls[-1].function if site.calls and site.calls[-1].function else site.symbol
    return replace(frame, function=plain_name(name) or frame.function)


def _named_paste(
    paste: PastedBacktrace, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage
) -> Iterator[PastedThread]:
    for thread in paste.threads:
        frames = (each for frame in thread.frames for each in _named_frame(frame, loaded, symbols, image))
        yield replace(thread, frames=tuple(frames))


def _named_frame(frame: PastedFrame, loaded: Loaded, symbols: ModuleSymbols, image: ElfImage) -> Iterator[PastedFrame]:
    """The frame with its name and place, behind the functions that are inlined there; others stay as they are."""
    if frame.address is None or frame.file or not _inside(image, frame.address - loaded.bias):
        yield frame
        return
    # The innermost frame is where it stopped; all others are return addresses, behind their call.
    site = symbols.site(frame.address - loaded.bias - (frame.index > 0))
    calls = [call for call in site.calls if not is_dying(plain_name(call.function))] or list(site.calls)
    for call in calls[:-1]:
        yield _with_place(frame, plain_name(call.function), call.file, call.line, inlined=True)
    last = calls[-1] if calls else None
    name = plain_name(last.function) if last and last.function else plain_name(site.symbol)
    yield _with_place(frame, name or frame.function, last.file if last else "", last.line if last else 0, inlined=False)


def _with_place(frame: PastedFrame, name: str, file: str, line: int, *, inlined: bool) -> PastedFrame:
    place = (file, line) if file and line else (None, None)
    return replace(frame, function=name or UNNAMED, file=place[0], line_number=place[1], inlined_guess=inlined)


def _place(frame: PastedFrame) -> str:
    """The frame as the fact ``stack.places`` has it."""
    where = f" at {frame.file}:{frame.line_number}" if frame.file else ""
    return (f"[{frame.function}]" if frame.inlined_guess else frame.function) + where


def listed_stack(log: LogEvidence) -> PastedBacktrace | None:
    """The addresses that stand for the stack of a death of which no witness has one, None where there are none."""
    silent = not isinstance(log.fatal(), PastedBacktrace | CoredumpReport)
    return log.address_lists[-1] if silent and log.address_lists else None
