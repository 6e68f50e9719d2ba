"""The checks that an executable counts: section ``dbg_cnt`` (``struct debug_count`` in include/haproxy/bug.h).

Since 3.1 (and in later releases of older branches) each BUG_ON, WARN_ON, CHECK_IF, COUNT_IF and
COUNT_GLITCH has an entry there, with its file, function, line and text, and the number of times that
it matched. The section and its two border symbols are in stripped executables, too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.record import record

if TYPE_CHECKING:
    from forensics.elf.image import ElfImage

#: file, func, desc; line, type, (3.5: details), count. 64-bit only.
ENTRY = struct.Struct("<QQQHBBI")
#: Where ``count`` stands in an entry (bytes).
COUNT_OFFSET = 28

#: enum debug_counter_type.
KINDS = ("bug", "bug_once", "count", "glitch")

#: HAProxy 3.4 has 1,249 entries.
MAX_CHECKS = 8192
#: Bytes kept of a name and of a description.
_MAX_NAME, _MAX_TEXT = 256, 2048

#: Up to 3.4 the description is `"COND"`, or `"COND" [explanation]`; 3.5 puts this between the two.
_SEPARATOR = "\x1e"

_RELA = struct.Struct("<QQq")
#: R_X86_64_RELATIVE and R_AARCH64_RELATIVE: the addend is the address.
_RELATIVE = {EM_X86_64: 8, EM_AARCH64: 1027}


@record
class Check:
    """One entry: ``address`` in the image, ``kind`` of ``KINDS``, ``function`` that the source has it in."""

    address: int
    kind: str
    file: str
    line: int
    function: str
    description: str

    @property
    def condition(self) -> str:
        """What was checked, as logs print it; "" for a glitch."""
        text = self.description.split(_SEPARATOR, 1)[0]
        if text.startswith('"'):
            text = text[1 : text.rfind('" [') if text.endswith("]") and '" [' in text else text.rfind('"')]
        return text

    @property
    def explanation(self) -> str:
        """What the source adds to it."""
        if _SEPARATOR in self.description:
            return self.description.split(_SEPARATOR, 1)[1]
        place = self.description.rfind('" [')
        return self.description[place + 3 : -1] if place >= 0 and self.description.endswith("]") else ""

    def to_plain(self) -> list[object]:
        """For symbol packs: a plain list, as JSON holds it."""
        return [self.address, self.kind, self.file, self.line, self.function, self.description]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Check:
        """The inverse of ``to_plain``. TypeError or ValueError for another shape."""
        address, kind, file, line, function, description = plain
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r}")
        return cls(int(address), kind, str(file), int(line), str(function), str(description))


class Checks:
    """All checks of an image, in the order of their addresses."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self.all = tuple(sorted(checks, key=lambda check: check.address))
        self.by_address = {check.address: check for check in self.all}
        self._by_place: dict[tuple[str, int], list[Check]] = {}
        for check in self.all:
            self._by_place.setdefault((check.file, check.line), []).append(check)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def borders(self) -> tuple[int, int]:
        """Where the first entry begins and the last one ends; (0, 0) for none."""
        return (self.all[0].address, self.all[-1].address + ENTRY.size) if self.all else (0, 0)

    def get(self, file: str, line: int) -> Check | None:
        """A check at this place; that of an inlined function has one entry for each place that it is in."""
        return next(iter(self._by_place.get((file, line), ())), None)


def plausible(file: str, function: str, line: int, kind: int) -> bool:
    """Whether the members of an entry can be what HAProxy writes there."""
    return (
        kind < len(KINDS)
        and line > 0
        and file.isprintable()
        and file.endswith((".c", ".h"))
        and function.isidentifier()
    )


def parse_check(data: bytes, address: int, text_at: Callable[[int, int], str]) -> tuple[Check, int] | None:
    """An entry and its count; None for what is none. ``text_at`` gives the string at an address, at most so long."""
    file, function, description, line, kind, _details, count = ENTRY.unpack(data)
    names = text_at(file, _MAX_NAME), text_at(function, _MAX_NAME)
    if not plausible(*names, line, kind):
        return None
    return Check(address, KINDS[kind], names[0], line, names[1], text_at(description, _MAX_TEXT)), count


def checks_of(image: ElfImage) -> Checks:
    """All checks of an image; none when it counts none."""
    section, data = image.sections.get("dbg_cnt"), image.section("dbg_cnt")
    if section is None or not isinstance(data, bytes):
        return Checks(())
    data = _relocated(image, section.address, data[: MAX_CHECKS * ENTRY.size])
    texts = _Texts(image)
    found = []
    for place in range(0, len(data) - ENTRY.size + 1, ENTRY.size):
        parsed = parse_check(data[place : place + ENTRY.size], section.address + place, texts.at)
        if parsed is not None:
            found.append(parsed[0])
    return Checks(found)


def _relocated(image: ElfImage, address: int, data: bytes) -> bytes:
    """The section as it is in memory, had the image been loaded at 0.

    Code linked to one place, and packed relocations (.relr.dyn), have the addresses there already.
    """
    rows = image.section(".rela.dyn")
    if not isinstance(rows, bytes):
        return data
    kind, changed = _RELATIVE.get(image.header.machine), bytearray(data)
    for place, info, addend in _RELA.iter_unpack(rows[: len(rows) - len(rows) % _RELA.size]):
        if info == kind and 0 <= place - address <= len(data) - 8:
            struct.pack_into("<Q", changed, place - address, addend & 0xFFFFFFFFFFFFFFFF)
    return bytes(changed)


class _Texts:
    """Strings of an image by address; those in .rodata are read at once."""

    def __init__(self, image: ElfImage) -> None:
        self._image = image
        section, data = image.sections.get(".rodata"), image.section(".rodata")
        self._start = section.address if section else 0
        self._data = data if isinstance(data, bytes) else b""

    def at(self, address: int, most: int) -> str:
        """The string at ``address``, "" for none."""
        place = address - self._start
        if 0 <= place < len(self._data):
            data: object = self._data[place : place + most]
        else:
            data = self._image.read(address, most)
        return data.split(b"\0", 1)[0].decode("utf-8", "replace") if isinstance(data, bytes) else ""
