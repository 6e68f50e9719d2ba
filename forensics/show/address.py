"""`show address`: what an address is. HAProxy has no such command; `debug dev hex` and `debug dev sym` come near."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.errors import UsageError
from forensics.haproxy.addresses.crash import read_crash_addresses
from forensics.haproxy.addresses.explained import Addresses, Explained
from forensics.haproxy.addresses.poison import TEXT
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question

#: Addresses that one question may have.
_MOST = 1000


def answer(state: State, question: Question) -> Answer | Absence:
    """What each of the addresses is; without any, the one that was touched, and those that registers hold."""
    addresses = [_number(word) for word in question.arguments[:_MOST]]
    names = Addresses(state)
    if not addresses:
        crash = read_crash_addresses(state)
        touched = (crash.touched,) if isinstance(crash.touched, Explained) else ()
        found = [*touched, *(one.explained for one in crash.registers)]
    else:
        found = [names.explain(address) for address in addresses]
    # Who gives an address knows it; characters that registers hold may be a part of a secret.
    found = [one for one in found if question.arguments or not question.scrub or one.poison != TEXT]
    return Answer(lambda: _lines(found), lambda: found, lambda: _gaps(names))


def _number(word: str) -> int:
    """An address, in hexadecimal, with 0x or without."""
    try:
        found = int(word, 16)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 64:
        raise UsageError(f"`{word}` is no address", "addresses are hexadecimal: 0x7f5c04001230")
    return found


def _lines(found: list[Explained]) -> Iterator[str]:
    for one in found:
        yield f"{one.address:#x}: {one.what}"
        yield f"    {one.trust}: {one.proof}"
        for detail in one.details:
            yield f"  - {detail.what}"
            yield f"    {detail.trust}: {detail.proof}"


def _gaps(names: Addresses) -> tuple[Absence, ...]:
    pools = names.pools.pools
    return (pools,) if isinstance(pools, Absence) else ()
