"""Instructions of aarch64 that matter to assertions, found in bytes of code (Arm Architecture Reference Manual, C6)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: An address is loaded by ADRP (its page) and ADD (the rest); compilers keep the two near each other (instructions).
_APART = 48

#: `mov xN, #1` and a store of zero to [xN], up to so many instructions apart: HAProxy's crash up to 2.7.
_STORE_APART = 4

#: B, B.cond, CBZ and CBNZ, TBZ and TBNZ: mask, value, and where the offset (in instructions) stands, with its bits.
_BRANCHES = (
    (0xFC000000, 0x14000000, 0, 26),
    (0xFF000010, 0x54000000, 5, 19),
    (0x7E000000, 0x34000000, 5, 19),
    (0x7E000000, 0x36000000, 5, 14),
)

#: `strb wzr, [xN]` and `str wzr, [xN]`, without N.
_STORES = (0x3900001F, 0xB900001F)

_WORD = struct.Struct("<I")


def loads(code: bytes, base: int, _fixed: bool = False) -> Iterator[tuple[int, int, int]]:
    """Where ``code`` loads an address: (address of the ADD, address after it, what is loaded).

    Compilers reach several variables from one of them (section anchors): an address to which another ADD
    adds is no answer, the sum is.
    """
    found: dict[int, int] = {}
    anchors: set[int] = set()
    for place, number, source in _sums(code, base):
        found[place] = number
        anchors.add(source)
    for place, number in found.items():
        if place not in anchors:
            yield place, place + 4, number


def _sums(code: bytes, base: int) -> Iterator[tuple[int, int, int]]:
    """Each ADD to a known address: where, the sum, and where that address was made."""
    known: dict[int, tuple[int, int]] = {}
    for place, word in _words(code, base):
        register = word & 31
        if word & 0x9F000000 == 0x90000000:
            known[register] = place, _page(word, place)
        elif word & 0xFF800000 == 0x91000000:
            made = known.get(word >> 5 & 31)
            known.pop(register, None)
            if made is not None and place - made[0] <= _APART * 4:
                number = made[1] + ((word >> 10 & 0xFFF) << (12 if word & 0x400000 else 0))
                known[register] = place, number
                yield place, number, made[0]
        elif word & 0xFC000000 == 0x94000000 or word & 0xFFFFFC1F == 0xD63F0000:
            # A call keeps x19 to x28 only (AAPCS64, 6.1.1).
            known = {number: made for number, made in known.items() if number > 18}
        else:
            known.pop(register, None)


def counts(code: bytes, base: int) -> Iterator[tuple[int, int]]:
    """Where ``code`` adds to a number that other threads use: (address, address of the number).

    The address is loaded like any other, for an atomic instruction or for libgcc's function that picks one.
    """
    yield from ((place, number) for place, number, _made in _sums(code, base))


def jumps(code: bytes, base: int, _short: range = range(0)) -> Iterator[tuple[int, int]]:
    """The branches within ``code`` that are not calls: (address, target)."""
    for place, word in _words(code, base):
        for mask, value, shift, bits in _BRANCHES:
            if word & mask == value:
                offset = word >> shift & ((1 << bits) - 1)
                yield place, place + 4 * (offset - (1 << bits) if offset >> (bits - 1) else offset)
                break


def crash(code: bytes, low: int, high: int) -> int:
    """The position of the first crash within ``low`` and ``high``, -1 for none: `udf #0`, or a store to address 1."""
    ones: dict[int, int] = {}
    start = max(low, 0)
    for place, word in _words(code[start:high], start):
        if word == 0:
            return place
        if word & 0xFFFFFFE0 == 0xD2800020 or word & 0xFFFFFFE0 == 0x52800020:
            ones[word & 31] = place
        elif word & 0xFFFFFC1F in _STORES:
            made = ones.get(word >> 5 & 31)
            if made is not None and place - made <= _STORE_APART * 4:
                return place
    return -1


def is_trap(code: bytes) -> bool:
    """Whether ``code`` begins with `udf #0`."""
    return code[:4] == bytes(4)


def is_store(code: bytes) -> bool:
    """Whether ``code`` begins with a store of 0 through a register (which must hold 1)."""
    return len(code) >= 4 and int.from_bytes(code[:4], "little") & 0xFFFFFC1F in _STORES


def _words(code: bytes, base: int) -> Iterator[tuple[int, int]]:
    """Each instruction with its address; code is aligned to four bytes."""
    skipped = -base % 4
    usable = (len(code) - skipped) // 4 * 4
    for index, (word,) in enumerate(_WORD.iter_unpack(code[skipped : skipped + max(usable, 0)])):
        yield base + skipped + index * 4, word


def _page(word: int, place: int) -> int:
    """What an ADRP at ``place`` loads."""
    offset = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    return (place & ~0xFFF) + ((offset - (1 << 21) if offset >> 20 else offset) << 12)
