"""How it died: told from the signal, the code that was running, the stack and what memory keeps.

HAProxy kills itself on purpose far more often than it breaks: BUG_ON and ABORT_NOW crash it (``own_crash``), the
watchdog aborts it (``aborted``). What else ends it is in ``fault``.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.culprit import culprit_index
from forensics.haproxy.counters import Counters
from forensics.haproxy.death.aborted import aborted
from forensics.haproxy.death.deliberate import Command, find_command
from forensics.haproxy.death.failed_check import failed_check
from forensics.haproxy.death.fault import inflicted
from forensics.haproxy.death.own_crash import assertion, last_code, own_crash
from forensics.haproxy.death.record import Death
from forensics.names import UNNAMED, plain_name
from forensics.record import replace
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.frame import Frame, ThreadStack

__all__ = ["Death", "culprit_frames", "decide"]

_POOLS = frozenset(("pool_check_pattern", "pool_inspect_item"))
#: Where the marks of pools are checked by an ABORT_NOW() that prints nothing of its own (2.5 on; pool.c, pool.h).
_FREES = frozenset(("__pool_free", "pool_put_to_cache", "pool_free_area", "__pool_alloc", "pool_get_from_cache"))
#: A process that ends by itself.
_ENDING = frozenset(("exit", "__GI_exit", "__run_exit_handlers", "deinit_and_exit"))


def decide(
    process: Process,
    stack: ThreadStack,
    counters: Counters | Absence | None = None,
    stacks: tuple[ThreadStack, ...] = (),
) -> Death:
    """How the process died whose crashed thread has ``stack``.

    ``counters`` are those of its checks, ``stacks`` those of all threads: a thread that waited names another one.
    """
    signal = process.core.signal
    if not process.core.threads:
        return Death("unknown", explanation=stack.stop, evidence="no NT_PRSTATUS in the core")
    if signal is None:
        return _alive(stack)
    counted = Absence("counters of checks", "they were not read") if counters is None else counters
    death = aborted(process, stack, stacks)
    if isinstance(death, Absence):
        death = _crashed_itself(process, stack, counted) or _ended(process, stack)
    file, line = (death.file, death.line) if death.file else _place(stack)
    return _with_command(process, stack, replace(death, file=file, line=line))


def _alive(stack: ThreadStack) -> Death:
    """A core that somebody took of a process (gcore, `gdb -p`)."""
    ending = next((name for frame in stack.frames if (name := plain_name(frame.function)) in _ENDING), "")
    if ending:
        return Death("exit", explanation="the process was ending by itself when this core was taken of it",
                     evidence=f"{ending}() on the stack, and no fatal signal")  # fmt: skip
    return Death("unknown", explanation="the process had not crashed: no signal is recorded in the core, which somebody"
                 " took of the living process", evidence="no fatal signal in NT_PRSTATUS")  # fmt: skip


def _crashed_itself(process: Process, stack: ThreadStack, counters: Counters | Absence) -> Death | None:
    """HAProxy ended its own life by a crash; None when nothing shows that."""
    code, sentences = last_code(process, stack)
    crashed = own_crash(process, code, sentences)
    if crashed is None:
        return None
    functions = {plain_name(frame.function) for frame in stack.frames if frame.function}
    # An assertion of the same function has a sentence.
    innermost = set() if any(sentences) else _innermost(stack) & _FREES
    damaged = functions & _POOLS or innermost
    if damaged:
        return _pool(process, crashed, min(damaged))
    if "stream_dump_and_crash" in functions:
        return _spinning(process, crashed)
    return assertion(failed_check(sentences, counters), crashed)


def _innermost(stack: ThreadStack) -> set[str]:
    """The function that crashed, and those that it was inlined into."""
    pc = stack.frames[0].pc if stack.frames else 0
    return {plain_name(frame.function) for frame in stack.frames[:8] if frame.pc == pc}


def _ended(process: Process, stack: ThreadStack) -> Death:
    signal = process.core.signal
    assert signal is not None
    own = process.core.process.pid if process.core.process else 0
    named = any(frame.function for frame in stack.frames)
    if signal.number == 6 and signal.sender == own:
        # abort() sends the signal to its own thread; nothing else does, but for `debug dev tkill`.
        why = "its stack does not tell who" if named else "its stack has no names"
        return Death("unknown", explanation=f"the process aborted itself (its watchdog, libc or a library); {why}",
                     evidence="SIGABRT from the process itself in NT_SIGINFO")  # fmt: skip
    return inflicted(process, stack, signal)


def _spinning(process: Process, crashed: str) -> Death:
    from forensics.haproxy.death.last_words import spinning_text

    text = spinning_text(process.core.memory)
    evidence = f"{crashed}; stream_dump_and_crash() on the stack"
    if isinstance(text, Absence):
        return Death("spinning", explanation="a stream or applet was spinning without end", evidence=evidence)
    what, address, rate = text.groups
    words = {"STREAM": "a stream", "APPCTX": "an applet"}.get(what, what)
    return Death("spinning", explanation=f"{words} ({address}) was spinning without end, {rate} calls a second",
                 evidence=f"{evidence}; the announcement in a buffer at {text.address:#x}", message=text.text,
                 message_from="a buffer of the process", message_at=text.address)  # fmt: skip


def _pool(process: Process, crashed: str, function: str) -> Death:
    from forensics.haproxy.death.last_words import pool_report

    evidence = f"{crashed}; {function}() on the stack"
    found = pool_report(process)
    if isinstance(found, Absence):
        return Death("pool_corruption", explanation="a memory pool was found damaged", evidence=evidence)
    text, damage = found
    pool = f" `{damage.pool}`" if damage.pool else ""
    reason = f": {damage.reason}" if damage.reason else ""
    before = f"; freed before in {damage.first_free}()" if damage.first_free else ""
    now = f"; freed now in {damage.second_free}()" if damage.second_free else ""
    return Death("pool_corruption", explanation=f"a memory pool{pool} was found damaged{reason}{before}{now}",
                 evidence=f"{evidence}; the report in a buffer at {text.address:#x}", pool=damage,
                 message=text.text.split("\n", 1)[0], message_from="a buffer of the process",
                 message_at=text.address)  # fmt: skip


def _with_command(process: Process, stack: ThreadStack, death: Death) -> Death:
    """The death with the `debug dev` command behind it."""
    command = find_command(process, stack, death)
    if not isinstance(command, Command):
        return death
    words = death.explanation
    if death.kind == "watchdog" and command.name == "panic":
        words = "`debug dev panic` was given on the command line: the thread called ha_panic() itself"
    elif death.kind == "signal_from_outside" and command.name == "tkill":
        words = (
            "the signal was sent by the process itself: `debug dev tkill` was given on the command line;"
            " no fault of memory caused it"
        )
    return replace(death, command=command.name, commanded_by=command.evidence, explanation=words)


def _place(stack: ThreadStack) -> tuple[str, int]:
    """File and line of the culprit, where DWARF tells."""
    frames = culprit_frames(stack)
    return (frames[0].file, frames[0].line) if frames else ("", 0)


def culprit_frames(stack: ThreadStack) -> tuple[Frame, ...]:
    """The frames of a thread from the culprit on: without those of the signal, the panic and libc's abort."""
    frames = stack.frames
    handlers = [place for place, frame in enumerate(frames) if frame.function == SIGNAL_HANDLER]
    frames = frames[handlers[-1] + 1 :] if handlers else frames
    functions = [plain_name(frame.function) if frame.function else UNNAMED for frame in frames]
    modules = [frame.module.rsplit("/", 1)[-1] for frame in frames]
    return frames[culprit_index(functions, modules) :]
