"""Values as gdb prints them: numbers, names of enumerations, pointers, structures (gdb's `print` with its defaults).

What a core holds may be secret: strings and arrays of bytes are shown by their length alone, unless
they are asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import groupby

from forensics.absence import Absence
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.enumerations import Enumeration
from forensics.symbols.dwarf.location import OPTIMIZED_OUT, Content, Reader
from forensics.symbols.dwarf.types import (
    BOOLEAN,
    FLOAT,
    SIGNED,
    SIGNED_CHAR,
    UNSIGNED_CHAR,
    UTF,
    Type,
    dimensions,
    iter_members,
    type_of,
)

#: gdb's `print elements` and the number of equal elements from which on it counts them.
_ELEMENTS, _REPEATED = 200, 10
#: Structures within structures; gdb's `print max-depth` is 20, which nobody reads.
_DEPTH = 6
#: Scalars rendered for one variable: a structure of arrays of structures must end.
_SCALARS = 1000

_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 27: "\\033", 92: "\\\\"}
_FLOATS = {4: ("<f", 9), 8: ("<d", 17)}

#: Names the code or data at an address of the process, "" for none.
Namer = Callable[[int], str]


class ValueWriter:
    """Writes values; strings and bytes only where ``is_public`` says that their address holds no secret.

    Without ``is_public`` all of them are shown.
    """

    def __init__(self, read: Reader, name_of: Namer, is_public: Callable[[int], bool] | None) -> None:
        self._read = read
        self._name_of = name_of
        self._is_public = is_public
        self._left = _SCALARS
        self._enumerations: dict[tuple[int, int], Enumeration] = {}

    def write(self, kind: Type, content: Content) -> str:
        """One variable."""
        self._left = _SCALARS
        return self._value(kind, content, 0)

    def _value(self, kind: Type, content: Content, depth: int) -> str:
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            return "{...}" if kind.aggregate else "..."
        if kind.kind in ("struct", "union"):
            return self._structure(kind, content, depth)
        if kind.kind == "array":
            return self._array(kind, content, depth)
        if kind.kind == "function":
            return self._pointer_text(content.address or 0)
        missing = content.missing(max(kind.size, 1))
        return missing or self._scalar(kind, content.data[: max(kind.size, 1)])

    # ---- scalars ----

    def _scalar(self, kind: Type, data: bytes) -> str:
        number = int.from_bytes(data, "little")
        if kind.kind == "pointer":
            return self._pointer(kind, number)
        if kind.kind == "enum" and kind.entry is not None:
            return self._enumeration(kind, kind.entry).name(number)
        if kind.kind == "base":
            return _base(kind, data, number)
        return f"{number:#x}"

    def _enumeration(self, kind: Type, entry: Entry) -> Enumeration:
        """The names of an enumeration; read once, as arrays of them are common."""
        key = (id(entry.info), entry.offset)
        if key not in self._enumerations:
            self._enumerations[key] = Enumeration(kind, entry)
        return self._enumerations[key]

    def _pointer(self, kind: Type, address: int) -> str:
        target = type_of(kind.entry) if kind.entry is not None else kind
        text = self._pointer_text(address)
        if address and target.textual:
            return f"{text} {self._string(address)}"
        return text

    def _pointer_text(self, address: int) -> str:
        name = self._name_of(address) if address else ""
        return f"{address:#x} <{name}>" if name else f"{address:#x}"

    def _string(self, address: int) -> str:
        """The string at ``address``, or its length."""
        data = b""
        while b"\0" not in data and len(data) < _ELEMENTS:
            # Read in small steps: the string may end right before memory that is not there.
            word = self._read(address + len(data), 8 - (address + len(data)) % 8)
            if isinstance(word, Absence):
                break
            data += word
        if not data:
            return f"<error: Cannot access memory at address {address:#x}>"
        text, end, _rest = data.partition(b"\0")
        more = "" if end and len(text) <= _ELEMENTS else "..."
        if self._shows(address):
            return quoted(text[:_ELEMENTS]) + more
        size = f"{len(text)}{' or more' if more else ''}"
        return f'"..." ({size} bytes)' if text else '""'

    def _shows(self, address: int | None) -> bool:
        return self._is_public is None or (address is not None and self._is_public(address))

    # ---- what is made of parts ----

    def _structure(self, kind: Type, content: Content, depth: int) -> str:
        if kind.entry is None or not kind.size:
            return "<incomplete type>"
        parts = []
        for count, member in enumerate(iter_members(kind.entry)):
            if count >= _ELEMENTS or self._left < 0:
                parts.append("...")
                break
            if member.bit_size:
                text = self._bit_field(member.type, content, member.bit, member.bit_size)
            else:
                size = member.type.size
                text = self._value(member.type, content.part(member.bit // 8, size), depth + 1)
            parts.append(f"{member.name} = {text}" if member.name else text)
        return "{" + ", ".join(parts) + "}"

    def _bit_field(self, kind: Type, content: Content, bit: int, bits: int) -> str:
        start, end = bit // 8, (bit + bits + 7) // 8
        part = content.part(start, end - start)
        missing = part.missing(end - start)
        if missing:
            return missing
        number = int.from_bytes(part.data, "little") >> bit % 8 & (1 << bits) - 1
        signed = kind.encoding in (SIGNED, SIGNED_CHAR)
        if signed and number >> bits - 1:
            number -= 1 << bits
        size = max(kind.size, 1)
        return self._scalar(kind, (number & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def _array(self, kind: Type, content: Content, depth: int) -> str:
        if kind.entry is None:
            return OPTIMIZED_OUT
        element, counts = type_of(kind.entry), dimensions(kind.entry)
        if not counts or min(counts) < 0 or not element.size:
            return "<an array whose size is only known while the program runs>"
        return self._dimension(element, counts, content, depth)

    def _dimension(self, element: Type, counts: list[int], content: Content, depth: int) -> str:
        self._left -= 1
        if self._left < 0:
            return "{...}"
        count, rest = counts[0], counts[1:]
        stride = element.size
        for each in rest:
            stride *= each
        if not count:  # the array at the end of a structure has no elements of its own: gdb shows where it begins
            return OPTIMIZED_OUT if content.address is None else self._flexible(element, content.address)
        if not rest and element.textual:
            return self._bytes(content, count)
        parts = self._elements(element, rest, content, stride, count, depth)
        return "{" + ", ".join(_counted(parts, min(count, _ELEMENTS))) + ("..." if count > _ELEMENTS else "") + "}"

    def _flexible(self, element: Type, address: int) -> str:
        return f"{address:#x} {self._string(address)}" if element.textual else f"{address:#x}"

    def _elements(
        self, element: Type, rest: list[int], content: Content, stride: int, count: int, depth: int
    ) -> Iterator[str]:
        for index in range(min(count, _ELEMENTS)):
            if self._left < 0:
                yield "..."
                return
            part = content.part(index * stride, stride)
            if rest:
                yield self._dimension(element, rest, part, depth + 1)
            else:
                yield self._value(element, part, depth + 1)

    def _bytes(self, content: Content, count: int) -> str:
        missing = content.missing(count)
        if missing:
            return missing
        data = content.data[:count]
        if not self._shows(content.address):
            return f'"..." ({count} bytes)' if any(data) else f'"" ({count} bytes, all 0)'
        data = data[:-1] if data.endswith(b"\0") and count <= _ELEMENTS else data
        return quoted(data[:_ELEMENTS]) + ("..." if count > _ELEMENTS else "")


def _counted(parts: Iterator[str], most: int) -> Iterator[str]:
    """Equal neighbours once, with their number, where there are many."""
    shown = 0
    for text, group in groupby(parts):
        number = sum(1 for _each in group)
        if number > _REPEATED:
            yield f"{text} <repeats {number} times>"
        else:
            yield from [text] * number
        shown += number
        if shown >= most:
            return


def _base(kind: Type, data: bytes, number: int) -> str:
    if kind.encoding == BOOLEAN:
        return {0: "false", 1: "true"}.get(number, str(number))
    if kind.encoding == FLOAT:
        return _float(kind.size, data)
    signed = kind.encoding in (SIGNED, SIGNED_CHAR)
    value = int.from_bytes(data, "little", signed=signed)
    if kind.size == 1 and kind.encoding in (SIGNED_CHAR, UNSIGNED_CHAR, UTF):
        return f"{value} {character(number)}"
    return str(value)


def _float(size: int, data: bytes) -> str:
    if size not in _FLOATS:
        return f"<floating point of {size} bytes>"
    form, digits = _FLOATS[size]
    text = f"{struct.unpack(form, data)[0]:.{digits}g}"
    return {"inf": "inf", "-inf": "-inf"}.get(text, text)


def character(code: int) -> str:
    """``'a'``: one character as gdb prints it, octal where it prints nothing."""
    return "'" + ("\\'" if code == 0x27 else _escaped(code)) + "'"


def quoted(data: bytes) -> str:
    """The bytes as gdb prints a string: runs of more than ten equal ones are counted."""
    parts: list[str] = []
    plain = ""
    for code, group in groupby(data):
        number = sum(1 for _each in group)
        if number > _REPEATED:
            parts += [f'"{plain}"'] if plain else []
            parts.append(f"{character(code)} <repeats {number} times>")
            plain = ""
        else:
            plain += ('\\"' if code == 0x22 else _escaped(code)) * number
    if plain or not parts:
        parts.append(f'"{plain}"')
    return ", ".join(parts)


def _escaped(code: int) -> str:
    if code in _ESCAPES:
        return _ESCAPES[code]
    return chr(code) if 0x20 <= code < 0x7F else f"\\{code:03o}"
