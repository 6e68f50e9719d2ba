"""How HAProxy crashes itself when a check fails, and which check it was (include/haproxy/bug.h).

BUG_ON and ABORT_NOW end in `ud2` or `udf` (2.8 on, SIGILL), or in a write to address 1 (up to 2.7, SIGSEGV).
"""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.haproxy.death.failed_check import FailedCheck
from forensics.haproxy.death.record import Death
from forensics.record import replace
from forensics.symbols.machine_code import machine_code
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import ThreadStack

#: The condition may hold quotes; an explanation stands on a line of its own (3.0-dev).
SENTENCE = re.compile(
    r'(FATAL|WARNING): (bug|warn|check) condition "(.*)" matched at ([^\n]+?):(\d+)[^\n]*(?:\n(.*))?$', re.S
)
ABORT = re.compile(r"ABORT at (.+?):(\d+)(?:: (.*))?$", re.S)

#: The illegal instruction by machine.
_TRAPS = {EM_X86_64: "`ud2`", EM_AARCH64: "`udf`"}

#: Candidates that an explanation spells out.
_CANDIDATES = 4


def last_code(process: Process, stack: ThreadStack) -> tuple[bytes | Absence, tuple[str, ...]]:
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


def own_crash(process: Process, code: bytes | Absence, sentences: tuple[str, ...]) -> str | None:
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


def assertion(failed: FailedCheck, evidence: str) -> Death:
    """What the failed check says."""
    match = SENTENCE.match(failed.sentence)
    abort = ABORT.match(failed.sentence)
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
    match = SENTENCE.match(sentence)
    return f"`{match[3]}` ({match[4]}:{match[5]})" if match else sentence.split("\n", 1)[0]
