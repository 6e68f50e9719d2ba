"""Where an executable lay, told by a stack alone: return addresses stand behind call instructions.

Loading moves code by whole pages, so a stack of six addresses leaves some thousand places, and at a wrong one each
address stands behind a call in one of twenty cases only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.elf.constants import EM_X86_64, PF_X, PT_LOAD
from forensics.elf.image import ElfImage

_PAGE = 4096
#: Fewer return addresses fit by chance somewhere.
_LEAST, _MOST = 6, 64
#: Bytes of code that are looked at; HAProxy's has some 3 MB.
_LARGEST = 32 << 20
#: The longest call, and what it looks like where it ends: relative, by register, by memory (Intel's manual, CALL).
_LONGEST = 8
_CALL = re.compile(
    rb"(?:\xe8.{4}|\x41?\xff(?:[\xd0-\xd7]|[\x10\x11\x13\x16\x17]|[\x50-\x53\x55-\x57].|[\x15\x90-\x93\x95-\x97].{4}"
    rb"|\x14.|\x54..|\x94.{5}))\Z",
    re.DOTALL,
)


def bias_by_calls(addresses: Sequence[int], image: ElfImage) -> int | Absence:
    """What was added to the addresses of the image: the only one at which every return address stands behind a call.

    ``addresses`` are those of a stack, the innermost first, which is no return address. Those far from most others are
    in libraries.
    """
    subject = "where the executable lay"
    returned = _together(addresses[1:], image)
    if image.header.machine != EM_X86_64 or len(returned) < _LEAST:
        return Absence(subject, f"{len(returned)} return addresses are too few to tell it")
    fitting = [bias for code in _codes(image) for bias in _fitting(returned, *code)]
    if len(fitting) == 1:
        return fitting[0]
    return Absence(subject, f"{len(fitting)} places fit the calls of this executable")


def _together(addresses: Sequence[int], image: ElfImage) -> list[int]:
    """The addresses that lie within the size of the image from each other, most of all."""
    size = max((one.address + one.size for one in image.segments if one.type == PT_LOAD), default=0)
    distinct = sorted(set(addresses))[:_MOST]
    groups = [[each for each in distinct if first <= each < first + size] for first in distinct]
    return max(groups, key=len, default=[])


def _codes(image: ElfImage) -> Iterator[tuple[int, bytes]]:
    """Address and bytes of each segment of code."""
    for one in image.segments:
        if one.type == PT_LOAD and one.flags & PF_X and one.file_size <= _LARGEST:
            code = image.read(one.address, one.file_size)
            if isinstance(code, bytes):
                yield one.address, code


def _fitting(returned: Sequence[int], start: int, code: bytes) -> Iterator[int]:
    """Every page-aligned move at which all addresses stand behind a call in this code."""
    first, last = returned[0], returned[-1]
    lowest = -(-(last - start - len(code)) // _PAGE) * _PAGE
    for bias in range(max(0, lowest), first - start + 1, _PAGE):
        if all(_behind_a_call(code, address - bias - start) for address in returned):
            yield bias


def _behind_a_call(code: bytes, position: int) -> bool:
    return position >= _LONGEST and _CALL.search(code[position - _LONGEST : position]) is not None
