"""Names of enumerations, flags included, by gdb's rules (generic_val_print_enum_1 in valprint.c, gdb 13)."""

from __future__ import annotations

from forensics.symbols.dwarf.types import SIGNED, SIGNED_CHAR, Type, enumerators


def enumeration_name(kind: Type, number: int) -> str:
    """The name of ``number`` (unsigned, as its bytes say); flags as ``(A | B)``, else the number."""
    if kind.entry is None:
        return str(number)
    names = enumerators(kind.entry, kind.size)
    if number in names:
        return names[number]
    if _are_flags(names):
        return _flags(names, number)
    bits = 8 * max(kind.size, 1)
    signed = kind.encoding in (SIGNED, SIGNED_CHAR) and number >> bits - 1
    return str(number - (1 << bits) if signed else number)


def _are_flags(names: dict[int, str]) -> bool:
    """Flags are single bits: one mask among them, and gdb takes all for plain numbers."""
    return all(value.bit_count() < 2 for value in names)


def _flags(names: dict[int, str], number: int) -> str:
    if not number:
        return "0"
    parts, left = [], number
    for value, name in names.items():
        if value and value & left == value:
            parts.append(name)
            left &= ~value
    if not parts:
        return f"(unknown: {left:#x})"
    return "(" + " | ".join(parts + ([f"unknown: {left:#x}"] if left else [])) + ")"
