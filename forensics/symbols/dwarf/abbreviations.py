"""Abbreviations: the shapes of entries, shared by the units of a file (DWARF 5, 7.5.3)."""

from __future__ import annotations

from collections.abc import Callable

from forensics.elf.encoding import read_sleb128, read_uleb128
from forensics.symbols.dwarf.forms import FIXED, IMPLICIT_CONST, REF4, skip_form

AT_SIBLING = 0x01

#: Attributes of one shape; compilers write some twenty.
_MAX_ATTRIBUTES = 1 << 10


class Abbreviation:
    """One shape: ``attributes`` are (name, form, value of an implicit constant).

    ``size`` is the number of bytes of such an entry's attributes when all their
    forms are of fixed size, else -1; most types are, which makes skipping them cheap.
    ``places`` then says where each stands: name, form, bytes from the first one, implicit value.
    ``sizes`` are those of the fixed forms in the units that use it. ``sibling`` is where DW_AT_sibling stands
    when that is the same in all such entries, and it is of the usual form; else -1.
    """

    __slots__ = ("attributes", "children", "names", "places", "sibling", "size", "sizes", "tag")

    def __init__(
        self, tag: int, children: bool, attributes: list[tuple[int, int, int]], sizes: dict[int, int] = FIXED
    ) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        self.sizes = sizes
        self.names = frozenset(name for name, _form, _value in attributes)
        self.places: list[tuple[int, int, int, int]] = []
        self.size, self.sibling = 0, -1
        for name, form, value in attributes:
            width = sizes.get(form)
            if width is None:
                self.size = -1
                break
            if name == AT_SIBLING and form == REF4:
                self.sibling = self.size
            self.places.append((name, form, self.size, value))
            self.size += width

    def skip(self, data: bytes, position: int) -> int:
        """The position after the attributes that begin at ``position``."""
        if self.size >= 0:
            return position + self.size
        for _name, form, _value in self.attributes:
            position = skip_form(data, position, form, self.sizes)
        return position


class Abbreviations(dict[int, Abbreviation]):
    """The table at ``offset`` of .debug_abbrev, by code; read as far as codes are asked for.

    Most units of a file are asked for their first entry only, whose shape comes first.
    """

    def __init__(
        self, data: bytes, offset: int, sizes: dict[int, int] = FIXED, spend: Callable[[int], None] | None = None
    ) -> None:
        """``spend`` is told of every declaration that is read, with the number of its parts."""
        super().__init__()
        self._spend = spend
        self._data = data
        self._position = offset
        self._sizes = sizes

    def __missing__(self, code: int) -> Abbreviation:
        """Read on until ``code`` is declared. KeyError when it is not."""
        while self._position < len(self._data):
            found = self._read_next()
            if found is None:
                self._position = len(self._data)
            elif found == code:
                return self[code]
        raise KeyError(code)

    def _read_next(self) -> int | None:
        """The code of the next declaration, None at the end of the table."""
        data = self._data
        code, position = read_uleb128(data, self._position)
        if code == 0:
            return None
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
            if len(attributes) > _MAX_ATTRIBUTES:
                raise ValueError("a shape without end")
        if self._spend is not None:
            self._spend(1 + len(attributes))
        self._position = position
        self[code] = Abbreviation(tag, children, attributes, self._sizes)
        return code
