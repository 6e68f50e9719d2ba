"""How it died: told from the signal, the code that was running and the stack.

HAProxy kills itself on purpose far more often than it breaks: BUG_ON and ABORT_NOW
end in `ud2` or `udf` (2.8 on, SIGILL) or in a write to address 1 (up to 2.7, SIGSEGV), the
watchdog in abort() below ha_panic() (include/haproxy/bug.h, src/debug.c).
"""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.culprit import culprit_index
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.haproxy.counters import Counters
from forensics.haproxy.failed_check import FailedCheck, failed_check
from forensics.names import UNNAMED, plain_name
from forensics.record import record, replace
from forensics.symbols.machine_code import machine_code
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.frame import Frame, ThreadStack

#: The condition may hold quotes; an explanation stands on a line of its own (3.0-dev).
_SENTENCE = re.compile(
    r'(FATAL|WARNING): (bug|warn|check) condition "(.*)" matched at ([^\n]+?):(\d+)[^\n]*(?:\n(.*))?$', re.S
)
_ABORT = re.compile(r"ABORT at (.+?):(\d+)(?:: (.*))?$", re.S)

#: The illegal instruction by machine.
_TRAPS = {EM_X86_64: "`ud2`", EM_AARCH64: "`udf`"}

#: Candidates that an explanation spells out.
_CANDIDATES = 4

#: libc functions that end a process whose heap is damaged (malloc/malloc.c).
_HEAP = frozenset(("malloc_printerr", "__libc_message", "__libc_message_impl", "__malloc_assert"))
_POOLS = frozenset(("pool_check_pattern", "pool_inspect_item"))

#: Commands of `debug dev` by the function that carries them out (src/debug.c).
_DELIBERATE = re.compile(r"debug_parse_cli_(abort|bug|check|hex|loop|panic|stream|task|tkill|warn|exit|exec)$")


@record
class Death:
    """How the process died.

    ``kind`` as in the report's ``crash.kind``; ``condition``, ``file``, ``line`` and
    ``sentence`` of the assertion where one fired; ``file`` and ``line`` of the faulting
    code otherwise (DWARF). ``evidence`` says in words what decided. ``told_by`` names what told
    the assertion; ``candidates`` are the sentences one of which it was, where that is not certain;
    ``contradiction`` says what else tells of another one.
    """

    kind: str
    condition: str = ""
    file: str = ""
    line: int = 0
    sentence: str = ""
    explanation: str = ""
    evidence: str = ""
    command: str = ""
    told_by: str = ""
    candidates: tuple[str, ...] = ()
    contradiction: str = ""


def decide(process: Process, stack: ThreadStack, counters: Counters | Absence | None = None) -> Death:
    """How the process died whose crashed thread has ``stack``; ``counters`` are those of its checks."""
    signal = process.core.signal
    if not process.core.threads:
        return Death("unknown", explanation=stack.stop, evidence="no NT_PRSTATUS in the core")
    if signal is None:
        return Death("unknown", explanation="the process had not crashed: no signal is recorded in the core",
                     evidence="no fatal signal in NT_PRSTATUS")  # fmt: skip
    functions = {plain_name(frame.function) for frame in stack.frames if frame.function}
    command = next((match[1] for name in functions if (match := _DELIBERATE.match(name))), "")
    counted = Absence("counters of checks", "they were not read") if counters is None else counters
    death = _self_inflicted(process, stack, functions, counted) or _inflicted(process, functions)
    file, line = (death.file, death.line) if death.file else _place(stack)
    return replace(death, file=file, line=line, command=command)


def _self_inflicted(
    process: Process, stack: ThreadStack, functions: set[str], counters: Counters | Absence
) -> Death | None:
    """HAProxy ended its own life."""
    if "ha_panic" in functions:
        return _panic(stack, functions)
    code, sentences = _last_code(process, stack)
    heap = next(iter(functions & _HEAP), "")
    if heap:
        return Death("heap_corruption", explanation="libc found the heap damaged and gave up", evidence=f"{heap}()")
    crashed = _own_crash(process, code, sentences)
    if crashed is None:
        return None
    if functions & _POOLS:
        return Death("pool_corruption", explanation="a memory pool was found damaged", evidence=crashed)
    if "stream_dump_and_crash" in functions:
        return Death("spinning", explanation="a stream or applet was spinning without end", evidence=crashed)
    return _assertion(failed_check(sentences, counters), crashed)


def _panic(stack: ThreadStack, functions: set[str]) -> Death:
    """The watchdog panics in a signal handler; `debug dev panic` does not."""
    names = [plain_name(frame.function) for frame in stack.frames]
    if "wdt_handler" in functions or SIGNAL_HANDLER in names[names.index("ha_panic") :]:
        return Death("watchdog", explanation="a thread made no progress for seconds; the watchdog ended the process",
                     evidence="ha_panic() called in a signal handler")  # fmt: skip
    return Death("watchdog", explanation="ha_panic() was called by the thread itself and not by the watchdog's signal",
                 evidence="ha_panic(), with no signal handler below it")  # fmt: skip


def _last_code(process: Process, stack: ThreadStack) -> tuple[bytes | Absence, tuple[str, ...]]:
    """The bytes at the faulting instruction, and the sentences one of which the code before it prints."""
    if not stack.frames:
        return Absence("instruction", "the thread has no frame"), ()
    pc = stack.frames[0].pc
    module = process.module_at(pc)
    if isinstance(module, Absence) or not module.main:
        return Absence("instruction", "it is not HAProxy's own code"), ()
    address = pc - module.base
    start = process.rows(module).function_start(address)
    sentences = process.symbols(module).sentences(address, start)
    code = process.symbols(module).code(address)
    # Text pages are in a core only when coredump_filter asks for them, or when somebody changed them.
    return (process.core.memory.read(pc, 8) if isinstance(code, Absence) else code), sentences


def _own_crash(process: Process, code: bytes | Absence, sentences: tuple[str, ...]) -> str | None:
    """What shows that HAProxy crashed itself, None when nothing does."""
    signal, machine = process.core.signal, machine_code(process.core.machine)
    assert signal is not None
    # Emulators and some dumpers write no siginfo: there only the instruction itself can tell.
    silent = signal.code == 0 and signal.sender is None
    if machine is None or (signal.code <= 0 and not silent):
        return None
    if signal.number == 4 and isinstance(code, bytes) and machine.is_trap(code):
        return f"{_TRAPS[process.core.machine]} at the faulting address: HAProxy's own way to die since 2.8"
    if signal.number == 11 and silent and sentences and isinstance(code, bytes) and machine.is_store(code):
        return "a write of 0 right after the code that prints the assertion: HAProxy's own way to die up to 2.7"
    if silent:
        return None
    if signal.number == 11 and signal.address == 1:
        if isinstance(code, bytes) and machine.is_store(code):
            return "a write to address 1: HAProxy's own way to die up to 2.7"
        if sentences:
            return "a fault at address 1, right after the code that prints the assertion"
    if signal.number == 4 and sentences:
        return "an illegal instruction right after the code that prints the assertion"
    return None


def _assertion(failed: FailedCheck, evidence: str) -> Death:
    """What the failed check says."""
    match = _SENTENCE.match(failed.sentence)
    abort = _ABORT.match(failed.sentence)
    if match:
        death = Death("bug_on", match[3], match[4], int(match[5]), explanation=(match[6] or "").strip())
    elif abort:
        death = Death("abort_now", "", abort[1], int(abort[2]), explanation=abort[3] or "")
    else:
        death = Death("bug_on", explanation=_uncertain(failed.candidates), candidates=failed.candidates)
    return replace(death, sentence=failed.sentence, evidence=evidence, told_by=failed.told_by,
                   contradiction=failed.contradiction)  # fmt: skip


def _uncertain(candidates: tuple[str, ...]) -> str:
    """Why the assertion is not named."""
    if not candidates:
        return "an assertion (BUG_ON or ABORT_NOW) failed; no file at hand tells its text"
    shown = "; or ".join(_short(one) for one in candidates[:_CANDIDATES])
    more = f"; or one of {len(candidates) - _CANDIDATES} more" if len(candidates) > _CANDIDATES else ""
    return f"one of {len(candidates)} assertions failed, whose code the compiler merged: {shown}{more}"


def _short(sentence: str) -> str:
    match = _SENTENCE.match(sentence)
    return f"`{match[3]}` ({match[4]}:{match[5]})" if match else sentence.split("\n", 1)[0]


def _inflicted(process: Process, functions: set[str]) -> Death:
    """Something else ended it: a wild access, a signal, libc."""
    signal = process.core.signal
    assert signal is not None
    own = process.core.process.pid if process.core.process else 0
    aborted = bool(functions & {"abort", "__GI_abort", "raise", "__GI_raise"})
    if signal.number == 6 and not aborted and signal.sender == own:
        # abort() sends the signal to its own thread; nothing else does, but for `debug dev tkill`.
        return Death(
            "unknown",
            explanation="the process aborted itself (its watchdog, libc or a library); its stack does not tell who",
            evidence="SIGABRT from the process itself in NT_SIGINFO",
        )
    if signal.number == 6 and aborted:
        return Death("unknown", explanation="something called abort(): HAProxy, a library or libc",
                     evidence="abort() on the stack")  # fmt: skip
    if signal.code <= 0 and signal.sender is not None:
        return _sent(process, signal.sender)
    if signal.number == 4:
        return Death("unknown", explanation="an illegal instruction; inside HAProxy's own code that is how an assertion"
                     " ends since 2.8, but the code itself is not at hand", evidence="SIGILL")  # fmt: skip
    if signal.number in (7, 8, 11):
        return Death("segfault", explanation=_fault(process), evidence=f"{signal.name}, {signal.code_name}")
    return Death("unknown", explanation=f"{signal.name} ended the process", evidence=signal.name)


def _sent(process: Process, sender: int) -> Death:
    own = process.core.process.pid if process.core.process else 0
    who = "the process itself, by `debug dev tkill` or a library" if sender == own else f"process {sender}"
    return Death("signal_from_outside", explanation=f"the signal was sent by {who}; no fault of memory caused it",
                 evidence=f"si_code and sender (pid {sender}) in NT_SIGINFO")  # fmt: skip


def _fault(process: Process) -> str:
    signal = process.core.signal
    address = signal.address if signal else None
    if signal is not None and signal.number == 8:
        return "an arithmetic fault, such as a division by zero"
    if address is None:
        return "a fault of memory"
    if signal is not None and signal.code == 128:
        return "an access through a pointer that no process can have (the kernel tells no address): overwritten memory"
    if address < 4096:
        return "an access through a null pointer, or to a member of a structure that is not there"
    if _below_stack(process, address):
        return "the stack of the thread overflowed"
    return "an access to memory that the process had not, or not for that kind of access"


def _below_stack(process: Process, address: int) -> bool:
    """Whether the address lies right below the stack that the crashed thread was using."""
    threads = process.core.threads
    registers = process.architecture.registers(threads[0].registers) if threads else {}
    sp = registers.get(process.architecture.sp, 0)
    segment = process.core.memory.find(sp)
    return not isinstance(segment, Absence) and abs(address - sp) < 65536 and address < segment.address + 4096


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
