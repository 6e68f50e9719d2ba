"""The address that a crash touched, and where the registers of the thread that died lead."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.address import FEW, NULL_PAGE, Addresses, Explained
from forensics.haproxy.state import State
from forensics.record import record
from forensics.unwind.machine_state import interrupted_frame

_SIGBUS, _SIGSEGV = 7, 11
#: si_code of a fault for which the kernel tells no address: non-canonical ones on x86-64 (asm-generic/siginfo.h).
_SI_KERNEL = 128
#: HAProxy ends itself by writing there, until 2.7 and on processors without an instruction for it (bug.h).
_OWN_END = 1
#: What registers lead to that is worth a line: an object, another thread's stack, a pattern.
_TELLING = frozenset(("pool object", "freed object", "object", "guard"))


@record
class LedTo:
    """Registers of one value, and what it leads to."""

    registers: tuple[str, ...]
    explained: Explained


@record
class CrashAddresses:
    """``touched`` is the address of the fault, or why there is none. ``how`` says where it was read."""

    touched: Explained | Absence
    how: str
    registers: tuple[LedTo, ...] = ()


def read_crash_addresses(state: State) -> CrashAddresses:
    """Both of them, from the registers where it went wrong."""
    names = Addresses(state, FEW)
    registers = _registers(state, names)
    touched, how = _touched(state, names, registers)
    return CrashAddresses(touched, how, tuple(one for one in registers if _tells(one.explained)))


def _registers(state: State, names: Addresses) -> tuple[LedTo, ...]:
    frame = interrupted_frame(state.stacks[0]) if state.stacks else None
    if frame is None:
        return ()
    architecture, values = state.process.architecture, dict[int, list[str]]()
    for number, name in architecture.names.items():
        value = frame.registers.get(number, 0)
        # Small numbers are no addresses of anything that is mapped.
        if value >= NULL_PAGE and number not in (architecture.pc, architecture.sp):
            values.setdefault(value, []).append(name)
    return tuple(LedTo(tuple(found), names.explain(value)) for value, found in values.items())


def _tells(one: Explained) -> bool:
    variable = one.kind == "module" and one.what.startswith("variable ")
    return one.kind in _TELLING or bool(one.poison) or variable


def _touched(state: State, names: Addresses, registers: tuple[LedTo, ...]) -> tuple[Explained | Absence, str]:
    signal = state.process.core.signal
    if signal is None or signal.number not in (_SIGBUS, _SIGSEGV) or signal.address is None:
        return Absence("address.what", "the process did not die of an access to memory"), ""
    if signal.address == _OWN_END:
        return Absence("address.what", "HAProxy wrote to address 1 to end itself"), ""
    if signal.code != _SI_KERNEL:
        return names.explain(signal.address), "NT_SIGINFO"
    impossible = [one for one in registers if one.explained.kind == "non-canonical"]
    if len(impossible) == 1:
        return impossible[0].explained, f"register {impossible[0].registers[0]}, since the kernel tells no address"
    reason = "the kernel tells no address (a non-canonical one), and no register alone has one"
    return Absence(
        "address.what", reason, "`haproxy-forensics backtrace --registers`, which decodes the instruction"
    ), ""
