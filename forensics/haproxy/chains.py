"""Structures that are chained by a pointer or linked in a list, read one by one."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import MOST, Walk, iter_chain, iter_list


def chained(
    space: TypedMemory, name: str, first: int, walk: Walk, most: int = MOST, member: str = "next"
) -> Iterator[Struct] | Absence:
    """Every ``struct name`` from the one at ``first`` on; the pointer ``member`` of each leads to the following one.

    Those that cannot be read are left out; an Absence where this build has no such structure or member.
    """
    link = _offset(space, name, member)
    if isinstance(link, Absence):
        return link
    return _read(space, name, iter_chain(space.memory, first, link, walk, most))


def listed(
    space: TypedMemory, name: str, head: int, walk: Walk, most: int = MOST, member: str = "list"
) -> Iterator[Struct] | Absence:
    """Every ``struct name`` of the list at ``head``, whose ``struct list`` is ``member``."""
    link = _offset(space, name, member)
    if isinstance(link, Absence):
        return link
    return _read(space, name, (one - link for one in iter_list(space.memory, head, walk, most)))


def _read(space: TypedMemory, name: str, addresses: Iterator[int]) -> Iterator[Struct]:
    for address in addresses:
        found = space.at(name, address)
        if isinstance(found, Struct):
            yield found


def _offset(space: TypedMemory, name: str, member: str) -> int | Absence:
    layout = space.layout(name)
    if isinstance(layout, Absence):
        return layout
    field = layout.fields.get(member)
    missing = Absence(f"{name}.{member}", f"struct {name} of this build has no such member")
    return missing if field is None else field.offset
