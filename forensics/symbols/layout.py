"""Layouts of structures: where each member lies and how its bytes are to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forensics.record import record

#: What a member's bytes are. ``char`` is one byte that may be a character; ``other`` stands for what nobody reads.
KINDS = ("int", "uint", "char", "bool", "float", "enum", "pointer", "struct", "union", "other")


@record
class Field:
    """One member of a structure.

    ``offset`` and ``size`` are in bytes, ``size`` that of one element; ``counts`` has the number of elements of
    each dimension, () for what is no array (0 elements: a flexible array at the structure's end). ``target`` names
    the structure or enumeration that it holds, or that a pointer leads to (with a ``*`` before it for each further
    pointer; ``()`` for a function, ``char``, ``void``). For a bit-field ``bits`` is its width and ``bit`` its place
    in the ``size`` bytes at ``offset``, counted from the least significant bit; for any other both are 0.
    """

    offset: int
    size: int
    kind: str
    target: str = ""
    counts: tuple[int, ...] = ()
    bit: int = 0
    bits: int = 0

    @property
    def count(self) -> int:
        """The number of elements, 1 for what is no array."""
        found = 1
        for one in self.counts:
            found *= one
        return found

    def to_plain(self) -> list[Any]:
        """As JSON keeps it."""
        plain = [self.offset, self.size, self.kind, self.target, list(self.counts), self.bit, self.bits]
        while plain[-1] in (0, "", []) and len(plain) > 3:
            plain.pop()
        return plain

    @classmethod
    def from_plain(cls, plain: Any) -> Field:
        """From JSON. ValueError or TypeError for anything else."""
        given: list[Any] = list(plain)
        offset, size, kind, target, counts, bit, bits = given + ["", (), 0, 0][len(given) - 3 :]
        found = cls(int(offset), int(size), str(kind), str(target), tuple(map(int, counts)), int(bit), int(bits))
        if kind not in KINDS or min(found.offset, found.size, found.bit, found.bits, *found.counts, 0) < 0:
            raise ValueError(f"no member: {plain}")
        return found


#: Where a layout comes from, as ``Layout.trust``: the build's own debug information, or that of another build of
#: the same release.
OF_THIS_BUILD, OF_THIS_RELEASE = "read", "assumed"


@record
class Layout:
    """A structure or union: its ``size`` in bytes and its members by name.

    Members of anonymous inner structures are its own, as in C. An inner structure that has no name but whose member
    has one is named after both: ``stktable.peers``. ``source`` says where the layout was read.
    """

    name: str
    size: int
    fields: Mapping[str, Field]
    source: str = ""
    trust: str = OF_THIS_BUILD

    def to_plain(self) -> dict[str, Any]:
        """As JSON keeps it: its size stands under the name ""."""
        return {"": self.size} | {name: field.to_plain() for name, field in self.fields.items()}

    @classmethod
    def from_plain(cls, name: str, plain: Any, source: str, trust: str = OF_THIS_BUILD) -> Layout:
        """From JSON. ValueError, TypeError, KeyError or AttributeError for anything else."""
        fields = {str(each): Field.from_plain(value) for each, value in plain.items() if each}
        size = int(plain[""])
        if size < 0 or size > _WIDEST:
            raise ValueError(f"struct {name} of {size} bytes")
        return cls(name, size, fields, source, trust)


#: The widest structure, in bytes: HAProxy's largest (its pools, with a cache for each of 1,024 threads) has 200 KB.
_WIDEST = 1 << 24
