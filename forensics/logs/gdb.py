"""Backtraces that people paste: gdb's `bt`, `bt full`, `thread apply all bt`, and eu-stack's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forensics.culprit import SIGNAL_FRAME, is_dying
from forensics.logs.clues import Clue
from forensics.logs.eu_stack import is_detail, parse_eu_frame
from forensics.logs.foreign_frame import (
    UNNUMBERED,
    ForeignThread,
    parse_foreign_frame,
    parse_foreign_thread,
    parse_valgrind_frame,
)
from forensics.logs.gdb_frame import FrameText, PastedFrame, frame_start, parse_pasted_frame
from forensics.logs.limits import Kept
from forensics.logs.line import NOWHERE, Origin, Record, origin_field
from forensics.logs.signals import known_signal
from forensics.names import UNNAMED
from forensics.record import record, replace

#: The innermost frames of any debugger; those that follow are read because these came before.
CLUES = (
    *(Clue(b"#%d " % number, b" {0,3}[0<A-Za-z_?]") for number in range(2)),
    Clue(b"LWP ", rb"\d"), Clue(b"TID ", rb"\d"), Clue(b"ignal ", b"[S1-9]"), Clue(b"signal handler called"),
    Clue(b"SignalName: "), Clue(b"Signal: ", rb"\d"), Clue(b"killed by SIG"), Clue(b"frame #", b"[01]: 0x"),
    Clue(b"acktrace:"),
)  # fmt: skip

_QUOTE = re.compile(r"(?:\s?>){1,8} ?(?=[\s#A-Za-z\[\-]|$)")
_PAGER = re.compile(r"-{2,3}Type <\w{1,8}>[^-]{0,80}-{2,3}(?:[cq](?=#|\s|$))?")
_THREAD = re.compile(r"\s*Thread (\d{1,5}) \((?:Thread 0x[0-9a-f]{1,16} \()?(?:LWP|process) (\d{1,10})\)")
_EU_THREAD = re.compile(r"\s*TID (\d{1,10}):\s*$")
_CURRENT = re.compile(r"\[Current thread is (\d{1,5}) ")
#: gdb up to 6 printed the number only; ABRT and apport name the signal in fields of their own.
_SIGNAL = re.compile(
    r"(?:(?:terminated with|received|default action of) signal |haproxy.{0,200} terminated by signal (?=SIG)"
    r"|killed by (?=SIG)|^\s*SignalName: |^Signal: (?=\d{1,2}\s*$))"
    r"(SIG[A-Z]{2,7}|\d{1,3})\b"
)
_RECEIVED = re.compile(r"\s*Thread (\d{1,5}) .{0,128}received signal (SIG[A-Z]{2,7})\b")
_SURVIVED = re.compile(r"ERROR: LeakSanitizer: |WARNING: ThreadSanitizer: ")
_MAX_FRAMES, _MAX_ALL_FRAMES = 1024, 100_000
#: Plain backtraces that are compared with the rest; nobody pastes more.
_MAX_PLAIN = 16
_FENCE = "```"
#: Lines between two frames without numbers that belong together.
_LISTED = 2


@record
class PastedThread:
    """One thread of a pasted backtrace. ``number`` is gdb's, None for a plain `bt`."""

    number: int | None
    lwp: int | None
    frames: tuple[PastedFrame, ...]


@record
class PastedBacktrace:
    """A backtrace made with a debugger. ``current`` is the number of gdb's current thread.

    A plain `bt` that is there again as a numbered thread is left out, and then ``current`` is that thread.
    """

    threads: tuple[PastedThread, ...]
    signal: str | None
    current: int | None
    line: int
    origin: Origin = origin_field()

    @property
    def crashed(self) -> PastedThread | None:
        """The thread that died: the one of a plain `bt`, gdb's current one, the one that was aborting, or thread 1."""
        choices = (
            (thread for thread in self.threads if thread.number is None and _is_named(thread)),
            (thread for thread in self.threads if thread.number is None),
            (thread for thread in self.threads if thread.number == self.current),
            (thread for thread in self.threads if _is_aborting(thread)),
            (thread for thread in self.threads if thread.number == 1),
            iter(self.threads),
        )
        return next((thread for choice in choices for thread in choice), None)


def _is_named(thread: PastedThread) -> bool:
    return any(frame.function not in (UNNAMED, SIGNAL_FRAME) for frame in thread.frames)


def _is_aborting(thread: PastedThread) -> bool:
    """Dumped threads have a signal frame too; only the dying one has frames of dying on top."""
    names = [frame.function for frame in thread.frames[:12]]
    return any(is_dying(name) and name not in (SIGNAL_FRAME, "debug_handler") for name in names)


@dataclass(slots=True)
class _OpenThread:
    """A thread while its frames come in."""

    number: int | None
    lwp: int | None
    bare: bool = False
    frames: list[PastedFrame] = field(default_factory=list)

    def finish(self) -> PastedThread | None:
        """The thread; None when a stray line merely looked like a frame."""
        if not self.frames or (self.frames[0].index != 0 and len(self.frames) < 2):
            return None
        below = (*self.frames[1:], None)
        # `set print address off` leaves out all addresses.
        guess = _same_address if self.bare else _guess_inlined if any(one.address for one in self.frames) else _as_it_is
        frames = tuple(guess(frame, outer) for frame, outer in zip(self.frames, below, strict=True))
        return PastedThread(self.number, self.lwp, frames)


def _guess_inlined(frame: PastedFrame, outer: PastedFrame | None) -> PastedFrame:
    """The call site of an inlined function has no address of its own, so gdb prints none."""
    inlined = outer is not None and outer.address is None and outer.index == frame.index + 1
    if not inlined or outer is None or SIGNAL_FRAME in (frame.function, outer.function):
        return frame
    return replace(frame, inlined_guess=True)


def _same_address(frame: PastedFrame, outer: PastedFrame | None) -> PastedFrame:
    """eu-stack gives an inlined function the address of the frame that it is inlined into."""
    inlined = outer is not None and outer.address == frame.address is not None
    return replace(frame, inlined_guess=True) if inlined else frame


def _as_it_is(frame: PastedFrame, _outer: PastedFrame | None) -> PastedFrame:
    return frame


def _merge_repeated(threads: list[PastedThread], current: int | None) -> tuple[tuple[PastedThread, ...], int | None]:
    """Drop what is pasted twice: gdb shows frame 0 on its own, then in `bt`, then in `thread apply all bt`."""
    kept = list(threads)
    for plain in [thread for thread in threads if thread.number is None and thread.lwp is None][:_MAX_PLAIN]:
        longer = [thread for thread in kept if thread is not plain and _begins_with(thread, plain)]
        if not longer:
            continue
        kept = [thread for thread in kept if thread is not plain]
        numbers = [thread.number for thread in longer if thread.number is not None]
        if numbers and current not in numbers:
            current = 1 if 1 in numbers else numbers[0]
    return tuple(kept), current


def _begins_with(thread: PastedThread, plain: PastedThread) -> bool:
    pairs = zip(thread.frames, plain.frames, strict=False)
    return len(thread.frames) >= len(plain.frames) and all(
        (ours.function, ours.address) == (theirs.function, theirs.address) for ours, theirs in pairs
    )


class BacktraceRecogniser:
    """Collects pasted backtraces; a new "terminated with signal" begins a new one."""

    def __init__(self) -> None:
        self.found: Kept[PastedBacktrace] = Kept()
        self._threads: list[PastedThread] = []
        self._signal: str | None = None
        self._current: int | None = None
        self._origin = NOWHERE
        self._here = Record("", 0)
        self._weight = 0
        self._thread: _OpenThread | None = None
        self._frame: FrameText | None = None
        #: Within the report of a sanitizer that ends no process by itself.
        self._survived = False
        #: Below the line in which valgrind tells how the process ended: the stacks above it are of what went on.
        self._valgrind = False
        self._detail = ""
        #: The line of the last frame without a number, or of a heading of such.
        self._listed = -_LISTED - 1

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = _unquote(record.text)
        self._here = record
        if "Sanitizer: " in text or self._survived:
            self._feed_sanitizer(text)
            if self._survived:
                return
        if "--Type <" in record.text and not text.strip():
            return
        if frame_start(text) is not None:
            self._end_frame()
            self._frame = FrameText(text, record.line)
        elif self._frame is not None and self._thread is not None and self._thread.bare and is_detail(text):
            self._detail = text
        elif frame := self._foreign(text, record.line):
            self._end_frame()
            self._add_foreign(frame)
        elif not self._feed_header(text) and self._frame is not None and not self._frame.take(text):
            self._end_frame()
        if "acktrace:" in text:
            self._listed = record.line

    def close(self) -> None:
        """End the open backtrace."""
        self._end_thread()
        if self._threads or self._signal:
            threads, current = _merge_repeated(self._threads, self._current)
            paste = PastedBacktrace(threads, self._signal, current, self._origin.line, self._origin)
            self.found.append(paste, 1 + self._weight)
        self._threads, self._signal, self._current, self._origin, self._weight = [], None, None, NOWHERE, 0
        self._valgrind = False

    def _feed_header(self, text: str) -> bool:
        if "thread #" in text and (foreign := parse_foreign_thread(text)):
            self._begin_foreign(foreign)
            return True
        if "LWP" in text or "TID" in text or "Thread " in text:
            return self._begin_thread(text)
        if ("ignal" in text or "killed by SIG" in text) and (signal := _SIGNAL.search(text)):
            self._begin_signal(signal[1])
            self._valgrind = "default action of signal" in text
            return True
        return False

    def _begin_foreign(self, thread: ForeignThread) -> None:
        if thread.selected and thread.signal:
            self._begin_signal(thread.signal)
        self._end_thread()
        self._thread = _OpenThread(thread.number, thread.lwp)
        if thread.selected:
            self._current = thread.number
        self._note(self._here.origin)

    def _begin_signal(self, name: str) -> None:
        if self._threads or self._thread:
            self.close()
        self._signal = known_signal(name) or self._signal
        self._note(self._here.origin)

    def _begin_thread(self, text: str) -> bool:
        if current := _CURRENT.search(text):
            self._current = int(current[1])
        elif match := _THREAD.match(text):
            self._end_thread()
            self._thread = _OpenThread(int(match[1]), int(match[2]))
        elif match := _EU_THREAD.match(text):
            self._end_thread()
            self._thread = _OpenThread(None, int(match[1]), bare=True)
        elif received := _RECEIVED.match(text):
            self._begin_signal(received[2])
            self._current = int(received[1])
        else:
            return False
        self._note(self._here.origin)
        return True

    def _foreign(self, text: str, line: int) -> PastedFrame | None:
        """The frame that a line of another debugger shows."""
        if self._valgrind and (frame := parse_valgrind_frame(text, line)):
            return frame
        return parse_foreign_frame(text, line, line - self._listed <= _LISTED)

    def _feed_sanitizer(self, text: str) -> None:
        """Leaks and races are told with stacks of a process that goes on, or ends by itself."""
        if _SURVIVED.search(text):
            self.close()
            self._survived = True
        elif "SUMMARY: " in text or "ERROR: " in text or _SIGNAL.search(text) or _THREAD.match(text):
            self._survived = False

    def _note(self, origin: Origin) -> None:
        """Where the backtrace begins."""
        self._origin = self._origin if self._origin.line else origin

    def _end_frame(self) -> None:
        if self._frame is None:
            return
        bare = self._thread is not None and self._thread.bare
        text, line, detail = self._frame.text(), self._frame.line, self._detail
        self._frame, self._detail = None, ""
        frame = (parse_eu_frame(text, detail, line) if bare else None) or parse_pasted_frame(text, line, bare)
        if frame is not None:
            self._add(frame)

    def _add_foreign(self, frame: PastedFrame) -> None:
        """Frames without numbers belong together when they stand together; one alone is none, so they count from 1."""
        if frame.index == UNNUMBERED:
            last = self._thread.frames[-1] if self._thread and self._thread.frames else None
            together = last is not None and frame.line - last.line <= _LISTED
            frame = replace(frame, index=last.index + 1 if last is not None and together else 1)
            self._listed = frame.line
        self._add(frame)

    def _add(self, frame: PastedFrame) -> None:
        self._note(replace(self._here.origin, line=frame.line))
        thread = self._thread
        if thread is None or (thread.frames and frame.index <= thread.frames[-1].index):
            self._end_thread()
            thread = self._thread = _OpenThread(None, None)
        if len(thread.frames) < _MAX_FRAMES and self._weight < _MAX_ALL_FRAMES:
            thread.frames.append(frame)
            self._weight += 1 + len(frame.args) // 256

    def _end_thread(self) -> None:
        self._end_frame()
        thread = self._thread.finish() if self._thread else None
        if thread is not None:
            self._threads.append(thread)
        self._thread = None


def _unquote(text: str) -> str:
    """Take off what mail, Markdown and the pager put around gdb's lines."""
    if text.lstrip().startswith(">"):
        text = _QUOTE.sub("", text, count=1) if _QUOTE.match(text) else text
    if "--Type <" in text:
        text = _PAGER.sub("", text)
    return "" if text.lstrip().startswith(_FENCE) else text
