"""Deaths that HAProxy did not choose: wild accesses, signals that somebody sent, limits of the kernel."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.notes import SignalInfo
from forensics.haproxy.death.record import Death
from forensics.haproxy.death.recursion import find_recursion
from forensics.haproxy.structs import TypedMemory
from forensics.names import plain_name
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import ThreadStack

SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS = 3, 4, 5, 6, 7, 8, 11, 24, 25, 31
#: si_code of a signal that the kernel sent without telling of a fault.
_SI_KERNEL = 128
_PAGE = 4096
#: How far below the stack pointer an access still is the running function's, in bytes: large arrays.
_FRAME = 1 << 20

#: pr_ppid names the process that started it.
_PARENT = ", which had started it: its master process, a service manager or a script"

#: Functions that run when the process ends by itself.
_ENDING = frozenset(("exit", "_exit", "__run_exit_handlers", "deinit", "deinit_and_exit", "__GI_exit", "__GI__exit"))

_FPE = {1: "a division by zero", 2: "a division whose result has no room"}
_BUS = {
    1: "an access to an address that is not aligned",
    2: "an access to a page of a file that is not there: a mapped file was truncated, or its disk failed or is full",
    4: "the memory itself is defective: the processor reported an error that it could not correct",
    5: "the memory itself is defective: the processor reported an error that it could not correct",
}
_SEGV = {
    4: "an access that a protection key forbids",
    9: "an access through a pointer whose tag does not fit the memory (MTE)",
    10: "a return address that differs from the shadow stack's: the stack was overwritten",
}


def inflicted(process: Process, stack: ThreadStack, signal: SignalInfo) -> Death:
    """How the signal ended the process."""
    if signal.code <= 0 and signal.sender is not None:
        return _sent(process, signal)
    found = _faulted(process, stack, signal)
    ending = next((name for frame in stack.frames if (name := plain_name(frame.function)) in _ENDING), "")
    if not ending:
        return found
    return Death(found.kind, explanation=f"{found.explanation}, while the process was ending by itself",
                 evidence=f"{found.evidence}; {ending}() on the stack")  # fmt: skip


def _faulted(process: Process, stack: ThreadStack, signal: SignalInfo) -> Death:
    evidence = f"{signal.name}, {signal.code_name}"
    match signal.number:
        case 4:
            words = "an illegal instruction; inside HAProxy's own code that is how an assertion ends since 2.8"
            return Death("unknown", explanation=f"{words}, but the code itself is not at hand", evidence="SIGILL")
        case 8:
            words = _FPE.get(signal.code, "an arithmetic fault, such as a division by zero")
            return Death("segfault", explanation=words, evidence=evidence)
        case 7:
            return Death("segfault", explanation=_BUS.get(signal.code, "an access to memory that cannot be reached"),
                         evidence=evidence)  # fmt: skip
        case 11:
            return _segfault(process, stack, signal, evidence)
    return Death("unknown", explanation=_other(signal), evidence=evidence if signal.code else signal.name)


def _other(signal: SignalInfo) -> str:
    """Signals that are neither faults nor sent."""
    if signal.number == SIGSYS:
        which = f" number {signal.system_call}" if signal.system_call is not None else ""
        return (
            f"the kernel refused a system call{which} (SIGSYS): a seccomp filter, of a container or the service manager"
        )
    if signal.number == SIGXCPU:
        return "the process had used up its CPU time (SIGXCPU): RLIMIT_CPU, `LimitCPU` of a unit"
    if signal.number == SIGXFSZ:
        return "a file would have become larger than it may (SIGXFSZ): RLIMIT_FSIZE, `LimitFSIZE` of a unit"
    if signal.number == SIGTRAP:
        return "a breakpoint or trap instruction ran (SIGTRAP): a debugger's leftover, or code that traps on purpose"
    if signal.number == SIGQUIT:
        return "SIGQUIT ended the process: somebody pressed Ctrl-\\ on its terminal"
    return f"{signal.name} ended the process"


def _sent(process: Process, signal: SignalInfo) -> Death:
    own = process.core.process.pid if process.core.process else 0
    user = "" if signal.user is None or signal.sender == own else f" of user {signal.user}"
    if signal.sender == own:
        who = "the process itself, by `debug dev tkill` or a library"
    elif signal.sender == 0:
        who = "a process outside of its PID namespace (its container), such as one of the host"
    else:
        parent = process.core.process.parent if process.core.process else 0
        who = f"process {signal.sender}{user}" + (_PARENT if signal.sender == parent else "")
    evidence = (
        f"si_code {signal.code_name} and sender (pid {signal.sender}{', uid ' + str(signal.user) if user else ''})"
    )
    return Death("signal_from_outside", explanation=f"the signal was sent by {who}; no fault of memory caused it",
                 evidence=f"{evidence} in NT_SIGINFO", sent_by_itself=signal.sender == own)  # fmt: skip


def _segfault(process: Process, stack: ThreadStack, signal: SignalInfo, evidence: str) -> Death:
    """A wild access, or a stack that is full."""
    if signal.address is not None and signal.code != _SI_KERNEL:
        segment = _stack_segment(process, signal.address)
        if segment:
            again = find_recursion(stack)
            told = "" if isinstance(again, Absence) else f"; {again.evidence}"
            words = "" if isinstance(again, Absence) else f": {again.words}"
            return Death("segfault", explanation=f"the stack of the thread overflowed{words}",
                         evidence=f"{evidence}; {segment}{told}")  # fmt: skip
    return Death("segfault", explanation=_access(signal) + _shortage(process, signal), evidence=evidence)


def _shortage(process: Process, signal: SignalInfo) -> str:
    """That memory had been short, where a null pointer was used: what an allocation that failed returns."""
    failed = failed_allocations(TypedMemory(process), len(process.core.threads))
    if signal.address is None or signal.address >= _PAGE or not isinstance(failed, int) or not failed:
        return ""
    return f"; {failed} allocations from pools had failed before, so that memory was short"


def failed_allocations(space: TypedMemory, threads: int) -> int | Absence:
    """How many allocations from pools failed since the process started: pool_fail of all threads' ``activity``."""
    found = [one.number("pool_fail") for one in space.array("activity", "activity", most=threads)]
    numbers = [one for one in found if isinstance(one, int)]
    return sum(numbers) if numbers else Absence("failed allocations", "the layout of struct activity is not known")


def _access(signal: SignalInfo) -> str:
    if signal.code == _SI_KERNEL:
        return "an access through a pointer that no process can have (the kernel tells no address): overwritten memory"
    if signal.code in _SEGV:
        return _SEGV[signal.code]
    if signal.address is None:
        return "a fault of memory"
    if signal.address < _PAGE:
        return "an access through a null pointer, or to a member of a structure that is not there"
    return "an access to memory that the process had not, or not for that kind of access"


def _stack_segment(process: Process, address: int) -> str:
    """What shows that ``address`` lies right below the stack that the crashed thread was using, "" when it does not."""
    threads = process.core.threads
    registers = process.architecture.registers(threads[0].registers) if threads else {}
    sp = registers.get(process.architecture.sp, 0)
    if not sp - _FRAME <= address <= sp + _PAGE:
        return ""
    memory = process.core.memory
    above = memory.find(sp)
    if isinstance(above, Absence) or not above.writable:
        # The stack pointer itself has left the stack: what lies right above is the stack.
        above = next((one for one in memory.segments_from(sp) if one.writable), Absence("stack", "there is none"))
        if isinstance(above, Absence) or above.address - sp > _FRAME:
            return ""
    if address >= above.address + _PAGE:
        return ""
    return f"the address {address:#x} is below the stack, which begins at {above.address:#x}, at the stack pointer"
