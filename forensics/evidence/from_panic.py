"""Facts that the dump of a panic tells in a log: stacks, peers, what the stuck thread was stuck in, and who waits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.cli_panic import is_asked
from forensics.evidence.fact import Fact
from forensics.evidence.told_stack import traced
from forensics.haproxy.death.record import Stuck
from forensics.haproxy.death.stuck import WAITS, stuck_by_names, stuck_text
from forensics.logs import LogEvidence, Panic, ThreadDump, TraceFrame, culprit_frames
from forensics.names import UNNAMED
from forensics.source import Source

_APPLET = re.compile(r"<[A-Z_]{1,32}>")
#: The name of the applet that runs commands (src/cli.c).
_CLI = "<CLI>"
#: HAProxy's own words below a panic (2.9): plain Lua, Lua shared by `lua-load`, malloc_trim() (src/debug.c, ha_panic).
_NOTES = (("lua", re.compile(r"\bLua\b")), ("malloc_trim", re.compile(r"\bmalloc_trim\(\)")))


def collect_panics(log: LogEvidence, path: str) -> Iterator[Fact | Absence]:
    """Stacks, peers and stuck threads of the last panic."""
    if not log.panics:
        return
    panic = log.panics[-1]
    source = Source(path, "thread dump of the panic", line=panic.line)
    stuck = [one for one in panic.threads if one.stuck]
    if panic.threads:
        yield Fact("threads.stuck", len(stuck), source)
    yield from collect_stall(panic, path)
    dying = next((one for one in panic.threads if one.requested), None)
    if dying is not None:
        yield from _dying(dying, path)
    if panic.on_purpose or (dying is not None and is_asked(dying)):
        # The watchdog marks the thread as stuck before it panics; a panic without one was asked for.
        what = "panic of a thread that runs the CLI, with no thread stuck"
        yield Fact("debug.command", "panic", Source(path, what, line=panic.line), "derived")
    others = {frame.function for one in panic.threads if one is not dying for frame in one.frames}
    if others - {UNNAMED}:
        yield Fact("threads.functions", tuple(sorted(others - {UNNAMED})), source)
    peers = next((one for one in panic.threads if one.peer_applet), None)
    if peers is not None:
        yield Fact("peers.in_use", True, Source(path, "a thread runs the applet <PEER>", line=peers.line))


def _dying(thread: ThreadDump, path: str) -> Iterator[Fact | Absence]:
    """The thread that called for the panic."""
    source = Source(path, f"call trace of thread {thread.number}", line=thread.line)
    yield from traced(thread.frames, source)
    if thread.task_function and thread.task_function != UNNAMED:
        yield Fact("task.function", thread.task_function, Source(path, "fct= of the thread dump", line=thread.line))
    if applet := _APPLET.search(f"{thread.task_context} {thread.exec_context}"):
        yield Fact("task.applet", applet[0], Source(path, "applet of the thread dump", line=thread.line))


def collect_stall(panic: Panic, path: str) -> Iterator[Fact]:
    """What the stuck thread was stuck in; nothing of a panic that was asked for."""
    subject = _stuck_thread(panic)
    if panic.on_purpose or subject is None:
        return
    noted = next((what for what, shape in _NOTES for note in panic.notes if shape.search(note)), "")
    told = _told(subject)
    if noted and told.what != noted:
        told = Stuck(noted, subject.number, "", "HAProxy's own note below the dump")
    if told.what == "code" and not told.function:
        return
    source = Source(path, f"{told.evidence} of thread {subject.number}", line=subject.line)
    yield Fact("watchdog.stuck_in", told.what, source, "derived")
    yield Fact("watchdog.thread", subject.number, source)
    if told.function:
        yield Fact("watchdog.function", told.function, source, "derived")
    yield Fact("watchdog.victim", told.what in WAITS, source, "derived")
    yield Fact("crash.explanation", _explained(told, subject), source, "derived")


def _stuck_thread(panic: Panic) -> ThreadDump | None:
    """The thread that panics where it is marked as stuck, else the first that is."""
    stuck = [one for one in panic.threads if one.stuck]
    return next((one for one in stuck if one.requested), stuck[0] if stuck else None)


def _told(thread: ThreadDump) -> Stuck:
    frames = culprit_frames(thread.frames)
    names = ["" if frame.function == UNNAMED else frame.function for frame in frames]
    told = stuck_by_names(thread.number, names, [frame.module or "" for frame in frames])
    if thread.in_lua and told.what != "lock":
        return Stuck("lua", thread.number, told.function, "Lua's own stack in the dump")
    if told.what in ("cli", "code") and frames and _pauses(frames[0]):
        return Stuck("lock", thread.number, told.function, "a pause of the processor, as waits for locks make them,")
    if told.what == "code" and _CLI in f"{thread.task_context} {thread.exec_context}":
        return Stuck("cli", thread.number, "", "the applet <CLI> in the dump")
    return told


def _pauses(frame: TraceFrame) -> bool:
    """Whether the interrupted instruction comes after a `pause` of x86, which the trace of 3.2 on shows."""
    return frame.module is None and frame.code_at < 0 and frame.code.endswith(b"\xf3\x90")


def _explained(told: Stuck, thread: ThreadDump) -> str:
    """One sentence, as for a core."""
    held = f"; it held {', '.join(thread.locked)} itself" if thread.locked else ""
    waits = "; another thread has what it waits for" if told.what in WAITS and not held else ""
    stuck = stuck_text(told)
    if told.what == "code":
        # Static functions have no name in a trace: one of them may be below the innermost that has one.
        stuck = f"thread {told.thread} made no progress for seconds, in {told.function}() or in what that called"
    return f"{stuck}{held}{waits}; the watchdog ended the process"
