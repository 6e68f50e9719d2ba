"""Names of enumerations, flags included, by gdb's rules (generic_val_print_enum_1 in valprint.c, gdb 13)."""

from __future__ import annotations

from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.types import SIGNED, SIGNED_CHAR, Type, enumerators


class Enumeration:
    """The names of one enumeration."""

    def __init__(self, kind: Type, entry: Entry) -> None:
        self._kind = kind
        self._names = enumerators(entry, kind.size)
        # Flags are single bits: one mask among them, and gdb takes all for plain numbers.
        self._flags = all(value.bit_count() < 2 for value in self._names)

    def name(self, number: int) -> str:
        """The name of ``number`` (unsigned, as its bytes say); flags as ``(A | B)``, else the number."""
        if number in self._names:
            return self._names[number]
        if self._flags:
            return self._flag_names(number)
        bits = 8 * max(self._kind.size, 1)
        signed = self._kind.encoding in (SIGNED, SIGNED_CHAR) and number >> bits - 1
        return str(number - (1 << bits) if signed else number)

    def _flag_names(self, number: int) -> str:
        if not number:
            return "0"
        parts, left = [], number
        for value, name in self._names.items():
            if value & left:
                parts.append(name)
                left &= ~value
        if not parts:
            return f"(unknown: {left:#x})"
        return "(" + " | ".join(parts + ([f"unknown: {left:#x}"] if left else [])) + ")"
