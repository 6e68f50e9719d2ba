"""The address that a crash touched, and where the registers of the thread that died lead."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.addresses.explained import FEW, NULL_PAGE, Addresses, Explained
from forensics.haproxy.pool import Pools
from forensics.haproxy.pools.free_objects import Damage, damages
from forensics.haproxy.state import State
from forensics.record import record
from forensics.unwind.machine_state import interrupted_frame
from forensics.unwind.pointers import pointers_at

_SIGBUS, _SIGSEGV = 7, 11
#: si_code of a fault for which the kernel tells no address: non-canonical ones on x86-64 (asm-generic/siginfo.h).
_SI_KERNEL = 128
#: HAProxy ends itself by writing there, until 2.7 and on processors without an instruction for it (bug.h).
_OWN_END = 1
#: What registers lead to that is worth a line: an object, another thread's stack, a pattern.
_TELLING = frozenset(("pool object", "freed object", "object", "guard"))
#: What speaks of a pointer that was overwritten.
_WILD = frozenset(("non-canonical", "freed object"))
#: Free objects that a triage looks at: some ten milliseconds.
_MOST_FREE = 10_000


@record
class LedTo:
    """Registers of one value, and what it leads to."""

    registers: tuple[str, ...]
    explained: Explained


@record
class CrashAddresses:
    """``touched`` is the address of the fault, or why there is none; ``how`` says where it was read.

    ``damaged`` are free objects of pools that somebody wrote to; they are looked for where the crash
    smells of it only, since there may be many objects.
    """

    touched: Explained | Absence
    how: str
    registers: tuple[LedTo, ...] = ()
    damaged: tuple[Damage, ...] = ()


def read_crash_addresses(state: State, *, corrupted: bool = False) -> CrashAddresses:
    """All of them; ``corrupted`` says that the way the process died speaks of overwritten memory."""
    names = Addresses(state, FEW)
    registers = _registers(state, names)
    touched, how = _touched(state, names, registers)
    telling = tuple(one for one in registers if _tells(one.explained))
    damaged = tuple(_damaged(names.pools)) if corrupted or _speaks_of_corruption(state, touched) else ()
    return CrashAddresses(touched, how, telling, damaged)


def _speaks_of_corruption(state: State, touched: Explained | Absence) -> bool:
    """Whether the code of pools stopped, or the address that was touched is one that only a wild pointer has."""
    frame = interrupted_frame(state.stacks[0]) if state.stacks else None
    if frame is not None and frame.function.lstrip("_").startswith("pool_"):
        return True
    return isinstance(touched, Explained) and (touched.kind in _WILD or bool(touched.poison))


def _damaged(pools: Pools) -> Iterator[Damage]:
    """The first broken place of each list of free objects, of a bounded number of objects in all."""
    left = _MOST_FREE
    for pool in pools.pools or ():
        yield from damages(pools, pool, max(left, 0))
        left -= sum(min(cache.count, left) for cache in pools.caches(pool))
        if left <= 0:
            return


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
    if signal.code != _SI_KERNEL and signal.address < NULL_PAGE:
        frame = interrupted_frame(state.stacks[0]) if state.stacks else None
        pointers = pointers_at(state.process, frame) if frame is not None else ()
        return names.near_null(signal.address, pointers), "NT_SIGINFO"
    if signal.code != _SI_KERNEL:
        return names.explain(signal.address), "NT_SIGINFO"
    impossible = [one for one in registers if one.explained.kind == "non-canonical"]
    if len(impossible) == 1:
        return impossible[0].explained, f"register {impossible[0].registers[0]}, since the kernel tells no address"
    reason = "the kernel tells no address (a non-canonical one), and no register alone has one"
    return Absence(
        "address.what", reason, "`haproxy-forensics backtrace --registers`, which decodes the instruction"
    ), ""
