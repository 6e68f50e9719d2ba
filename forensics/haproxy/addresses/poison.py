"""Values that nothing but a debugging aid or an overrun leaves in a pointer."""

from __future__ import annotations

from forensics.haproxy.pool import INTEGRITY, POISON, Pools
from forensics.record import record

#: Offsets of members that may have been added to a pointer, in bytes.
_OFFSET = 1 << 16
#: pool_fill_pattern(): multiples of this one, one more with each object that is freed.
_THIRD = 0x5555555555555555
#: The word that pool_free_area_uaf() leaves at the start of what it frees (pool-os.h).
_FREED = 0xDEADADD4
_MOST_FREED = 1 << 24
#: Name of what may be a part of a secret.
TEXT = "text"


@record
class Poison:
    """``name`` for facts, ``meaning`` in words; ``trust`` is ``derived`` where the option is known to be in force."""

    name: str
    meaning: str
    trust: str


def poison_of(value: int, pools: Pools) -> Poison | None:
    """What a pointer of this value, or of one a little lower, was read from."""
    flags, byte = pools.debugging or 0, pools.poison
    # 'P' is what `-dM` takes where no byte is given.
    for each in sorted({byte if isinstance(byte, int) and 0 < byte < 256 else 0x50, 0x50}):
        word = each * 0x0101010101010101
        if 0 <= value - word < _OFFSET:
            meaning = f"the byte {each:#04x} of `-dM`: it was read from an object that was allocated and never written"
            return Poison(f"byte {each:#04x}", meaning, "derived" if flags & POISON else "assumed")
    if _is_fill(value):
        meaning = "the fill pattern of `-dMintegrity`: it was read from an object after it was freed"
        return Poison("fill pattern", meaning, "derived" if flags & INTEGRITY else "assumed")
    if value & 0xFFFFFFFF == _FREED:
        return Poison("0xdeadadd4", "the mark of `-dMuaf` in a freed object", "derived")
    text = value.to_bytes(8, "little")
    if all(0x20 <= one < 0x7F for one in text):
        return Poison(TEXT, "eight characters: text was written over a pointer", "assumed")
    return None


def _is_fill(value: int) -> bool:
    """N thirds of all ones, less what the sum wrapped by: close to one or two thirds."""
    return any(-_OFFSET < third - value < _MOST_FREED for third in (_THIRD, 2 * _THIRD))
