"""Facts about how the process died that its memory keeps: last words, what was stuck, who sent the signal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.haproxy.death.deliberate import issued_commands
from forensics.haproxy.death.fault import failed_allocations
from forensics.haproxy.death.record import PoolDamage, Stall
from forensics.haproxy.death.recursion import Recursion, find_recursion
from forensics.haproxy.structs import TypedMemory
from forensics.source import Source

if TYPE_CHECKING:
    from forensics.evidence.core_witness import CoreWitness


def collect_death(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """What the death itself left in memory; nothing for a process that did not die."""
    death, signal = witness.death, witness.process.core.signal
    if signal is None:
        return
    if death.message:
        where = Source(witness.path, death.message_from, address=death.message_at, thread=witness.crashed.lwp)
        yield Fact("crash.message", death.message, where)
    if signal.code <= 0 and signal.sender is not None and not _is_own(witness):
        yield Fact("signal.sender", signal.sender, Source(witness.path, "si_pid in NT_SIGINFO"))
        if signal.user is not None:
            yield Fact("signal.user", signal.user, Source(witness.path, "si_uid in NT_SIGINFO"))
    if death.stall is not None:
        yield from _stall(death.stall, witness)
    if death.pool is not None:
        yield from _pool(death.pool, Source(witness.path, "report of the pool, in a buffer", address=death.message_at))
    again = find_recursion(witness.crashed)
    if isinstance(again, Recursion):
        source = Source(witness.path, again.evidence, thread=witness.crashed.lwp)
        yield Fact("stack.recursion", tuple(dict.fromkeys(name or "?" for name in again.functions)), source, "derived")


def _is_own(witness: CoreWitness) -> bool:
    """Whether the process sent itself the signal: abort() does, and that is no sender worth telling."""
    core = witness.process.core
    return core.process is not None and core.signal is not None and core.signal.sender == core.process.pid


def _stall(stall: Stall, witness: CoreWitness) -> Iterator[Fact]:
    """Why the watchdog struck."""
    stuck = stall.stuck
    lwp = next((one.lwp for one in witness.stacks if one.number == stuck.thread), witness.crashed.lwp)
    source = Source(witness.path, stuck.evidence, thread=lwp)
    yield Fact("watchdog.stuck_in", stuck.what, source, "derived")
    yield Fact("watchdog.thread", stuck.thread, source, "derived")
    if stuck.function:
        yield Fact("watchdog.function", stuck.function, source, "derived")
    yield Fact("watchdog.victim", stall.victim, source, "derived")
    if stall.suspects:
        suspects = Source(witness.path, "stacks of threads that were at work")
        yield Fact("watchdog.suspects", tuple(map(str, stall.suspects)), suspects, "assumed")
    if stall.number:
        yield Fact("threads.stuck", stall.number, Source(witness.path, stall.marked_by), stall.trust)


def _pool(damage: PoolDamage, source: Source) -> Iterator[Fact]:
    """What the report of a damaged pool says."""
    for name, value in (
        ("pool.name", damage.pool),
        ("pool.first_free", damage.first_free),
        ("pool.second_free", damage.second_free),
        ("pool.damage", damage.reason),
    ):
        if value:
            yield Fact(name, value, source)


def collect_trouble(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """What had gone wrong before: allocations that failed, commands that are made for tests."""
    space = TypedMemory(witness.process)
    failed = failed_allocations(space, len(witness.process.core.threads))
    if isinstance(failed, int):
        source = Source(witness.path, "pool_fail of activity[]")
        yield Fact("memory.failed_allocations", failed, source, space.trust)
    issued = issued_commands(witness.process)
    if isinstance(issued, int):
        yield Fact("debug.commands_issued", issued, Source(witness.path, "variable debug_commands_issued"))
