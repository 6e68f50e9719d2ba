"""Facts that the core tells: each collector yields facts, and gaps for what it could not."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.core_witness import NOBODY, CoreWitness
from forensics.evidence.fact import Fact
from forensics.evidence.library import library_of
from forensics.haproxy.death.cause import culprit_frames
from forensics.haproxy.peers import peers_configured
from forensics.haproxy.release import Release
from forensics.names import UNNAMED, plain_name
from forensics.source import Source
from forensics.unwind.backtrace import SIGNAL_HANDLER
from forensics.unwind.frame import Frame, ThreadStack


def collect_process(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """Version, pid, threads."""
    release = witness.release
    if isinstance(release, Release):
        yield Fact("process.version", release.version, Source(witness.path, release.how, address=release.address))
    else:
        yield release
    core = witness.process.core
    if core.process is not None:
        yield Fact("process.pid", core.process.pid, Source(witness.path, "NT_PRPSINFO"))
    if core.threads:
        yield Fact("process.threads", len(core.threads), Source(witness.path, "NT_PRSTATUS"))


def collect_crash(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """How it died, and where."""
    death, signal, thread = witness.death, witness.process.core.signal, witness.crashed
    where = Source(witness.path, death.evidence, thread=thread.lwp, frame=0)
    if not witness.process.core.threads:
        yield Absence("crash.kind", NOBODY.stop, "the complete core; or the log of the worker")
    if signal is None:
        return
    if death.kind == "unknown":
        yield Absence("crash.kind", death.explanation, "the log of the worker, which says what the process said last")
    else:
        yield Fact("crash.kind", death.kind, where, "derived")
    yield Fact("crash.signal", signal.name, Source(witness.path, "NT_SIGINFO", thread=thread.lwp))
    if signal.address is not None:
        yield Fact("crash.address", signal.address, Source(witness.path, "NT_SIGINFO", thread=thread.lwp))
    printed = Source(witness.path, death.told_by, thread=thread.lwp, frame=0)
    if death.condition:
        yield Fact("crash.condition", death.condition, printed)
    if death.sentence and death.explanation:
        yield Fact("crash.explanation", death.explanation, printed)
    if death.file:
        place = printed if death.sentence else Source(witness.path, "DWARF", thread=thread.lwp, frame=0)
        yield Fact("crash.source_file", death.file, place)
        yield Fact("crash.source_line", death.line, place)
    if death.command:
        trust = "read" if death.commanded_by == "function on the stack" else "derived"
        yield Fact("debug.command", death.command, Source(witness.path, death.commanded_by, thread=thread.lwp), trust)


def collect_stacks(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """The culprit's stack, and the functions of the other threads."""
    thread = witness.crashed
    source = Source(witness.path, "backtrace", thread=thread.lwp)
    if thread.crashed:
        frames = culprit_frames(thread)
        culprits = tuple(stack_entry(frame) for frame in frames)
        if any(entry != UNNAMED for entry in culprits):
            yield Fact("stack", culprits, source, "derived")
            yield from _culprit(witness, frames[0], source)
        else:
            yield _no_stack(witness)
        yield Fact("stack.functions", _functions((thread,)), source, "derived")
    others = _functions(witness.stacks[1:])
    if others:
        yield Fact("threads.functions", others, Source(witness.path, "backtraces of the other threads"), "derived")


def _culprit(witness: CoreWitness, frame: Frame, source: Source) -> Iterator[Fact]:
    """Where the innermost frame is, if it is a library's, or has no name. One that a scan found may be none."""
    main = witness.process.core.main_module
    if frame.trust != "scan" and (library := library_of(frame.module)):
        yield Fact("crash.library", library, source, "derived")
    if not frame.function and not isinstance(main, Absence) and frame.module == main.path:
        yield Fact("crash.offset", frame.offset, source, "derived")


def _no_stack(witness: CoreWitness) -> Absence:
    """Why the crashed thread's stack names nobody."""
    core = witness.process.core
    if core.truncation is not None and len(witness.crashed.frames) < 3:
        remedy = next((gap.remedy for gap in core.gaps if gap.subject.startswith("end of")), "the complete core")
        return Absence("stack", "the core is cut: the stack of the crashed thread is lost", remedy)
    if not witness.process.architecture.unwindable:
        return Absence("stack", witness.crashed.stop, "gdb's `thread apply all bt`, pasted into a file beside the core")
    return Absence("stack", "no frame of the crashed thread has a name", "the executable that ran: `--exe`")


def stack_entry(frame: Frame) -> str:
    """A frame as the fact ``stack`` writes it."""
    if not frame.function:
        return UNNAMED
    name = plain_name(frame.function)
    # What other witnesses of the same stack cannot show stands in brackets.
    return f"[{name}]" if frame.inlined or frame.tail_call else name


def _functions(stacks: tuple[ThreadStack, ...]) -> tuple[str, ...]:
    names = {plain_name(frame.function) for stack in stacks for frame in stack.frames if frame.function}
    return tuple(sorted(names - {SIGNAL_HANDLER}))


def collect_peers(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """Whether peers are configured."""
    peers = peers_configured(witness.process)
    if isinstance(peers, tuple):
        configured, address = peers
        yield Fact("peers.in_use", configured, Source(witness.path, "variable cfg_peers", address=address))
