"""Facts that the memory of the process tells of the crash: what was touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.haproxy.addresses.poison import TEXT
from forensics.source import Source

if TYPE_CHECKING:
    from forensics.evidence.core_witness import CoreWitness
    from forensics.haproxy.addresses.crash import CrashAddresses
    from forensics.haproxy.addresses.explained import Explained

#: Deaths whose thread did nothing wrong.
_INNOCENT = ("signal_from_outside", "exit")


def collect_address(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """What the faulting address is; for the report also where the registers lead."""
    from forensics.haproxy.addresses.crash import read_crash_addresses

    # What a thread was at when somebody else ended the process has no part in it.
    if not witness.crashed.crashed or witness.death.kind in _INNOCENT:
        return
    corrupted = witness.death.kind in ("pool_corruption", "heap_corruption")
    found = read_crash_addresses(witness.state, corrupted=corrupted)
    witness.told.update(_shown(found))
    for damage in found.damaged:
        reason = f"{damage.place} is broken at {damage.address:#x}: {damage.reason}"
        yield Absence(f"memory of pool {damage.pool.name}", reason, "a run with `-dMno-merge,integrity,caller`")
    if isinstance(found.touched, Absence):
        # Only what died of an access has such an address; nothing else is missing.
        if found.touched.remedy:
            yield found.touched
        return
    source = Source(witness.path, found.how, address=found.touched.address, thread=witness.crashed.lwp)
    yield from _facts(found.touched, source)


def _facts(touched: Explained, source: Source) -> Iterator[Fact]:
    yield Fact("address.what", touched.kind, source, touched.trust)
    if touched.pool:
        yield Fact("address.pool", touched.pool, source, touched.trust)
    if touched.freed is not None:
        yield Fact("address.freed", touched.freed, source, touched.trust)
    if touched.poison:
        yield Fact("address.poison", touched.poison, source, "derived")


def _shown(found: CrashAddresses) -> dict[str, object]:
    """As the report's ``state`` has it."""
    shown: dict[str, object] = {}
    if found.damaged:
        shown["pools"] = [
            {"pool": one.pool.name, "address": one.address, "where": one.place, "what": one.reason}
            for one in found.damaged
        ]
    if not isinstance(found.touched, Absence):
        shown["address"] = _touched(found.touched)
    if found.registers:
        shown["registers"] = [
            {
                "register": ", ".join(one.registers), "value": _value(one.explained),
                "what": one.explained.summary, "trust": one.explained.trust, "proof": one.explained.proof,
            }
            for one in found.registers
        ]  # fmt: skip
    return shown


def _touched(one: Explained) -> dict[str, object]:
    details = [{"what": each.what, "trust": each.trust, "proof": each.proof} for each in one.details]
    return {
        "address": _value(one), "kind": one.kind, "what": one.what, "trust": one.trust, "proof": one.proof,
        "details": details,
    }  # fmt: skip


def _value(one: Explained) -> str:
    """An address; characters in its place may be a part of a password."""
    return "(text)" if one.poison == TEXT else f"{one.address:#x}"
