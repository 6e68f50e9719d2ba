"""Facts that the memory of the process tells of the crash: what was touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.source import Source

if TYPE_CHECKING:
    from forensics.evidence.from_core import CoreWitness
    from forensics.haproxy.address import Explained
    from forensics.haproxy.crash_addresses import CrashAddresses


def collect_address(witness: CoreWitness) -> Iterator[Fact | Absence]:
    """What the faulting address is; for the report also where the registers lead."""
    from forensics.haproxy.crash_addresses import read_crash_addresses
    from forensics.haproxy.state import State

    if not witness.crashed.crashed:
        return
    found = read_crash_addresses(State(witness.process, witness.stacks))
    witness.told.update(_shown(found))
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
    if not isinstance(found.touched, Absence):
        shown["address"] = found.touched
    if found.registers:
        shown["registers"] = [
            {
                "register": ", ".join(one.registers), "value": f"{one.explained.address:#x}",
                "what": one.explained.summary, "trust": one.explained.trust, "proof": one.explained.proof,
            }
            for one in found.registers
        ]  # fmt: skip
    return shown
