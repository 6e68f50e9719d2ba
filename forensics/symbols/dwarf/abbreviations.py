"""Abbreviations: the shapes of entries, shared by the units of a file (DWARF 5, 7.5.3)."""

from __future__ import annotations

from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.symbols.dwarf.forms import FIXED, IMPLICIT_CONST, skip_form

AT_SIBLING = 0x01


class Abbreviation:
    """One shape: ``attributes`` are (name, form, value of an implicit constant).

    ``size`` is the number of bytes of such an entry's attributes when all their
    forms are of fixed size, else -1; most types are, which makes skipping them cheap.
    """

    __slots__ = ("attributes", "children", "names", "size", "tag")

    def __init__(self, tag: int, children: bool, attributes: list[tuple[int, int, int]]) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        self.names = frozenset(name for name, _form, _value in attributes)
        sizes = [FIXED.get(form) for _name, form, _value in attributes]
        self.size = -1 if None in sizes else sum(size or 0 for size in sizes)

    def skip(self, data: bytes, position: int) -> int:
        """The position after the attributes that begin at ``position``."""
        if self.size >= 0:
            return position + self.size
        for _name, form, _value in self.attributes:
            position = skip_form(data, position, form)
        return position


def read_abbreviations(data: bytes, offset: int) -> dict[int, Abbreviation]:
    """The table at ``offset`` of .debug_abbrev, by code."""
    table: dict[int, Abbreviation] = {}
    position = offset
    while position < len(data):
        code, position = read_uleb128(data, position)
        if code == 0:
            break
        tag, position = read_uleb128(data, position)
        children = data[position] != 0
        position += 1
        attributes = []
        while True:
            name, position = read_uleb128(data, position)
            form, position = read_uleb128(data, position)
            value = 0
            if form == IMPLICIT_CONST:
                value, position = read_sleb128(data, position)
            if name == 0 and form == 0:
                break
            attributes.append((name, form, value))
        table[code] = Abbreviation(tag, children, attributes)
    return table
