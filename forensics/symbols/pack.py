"""Symbol packs: what a build's files say, in one small file that can be shared.

Format 1, little-endian. ``b"HAPSYM"``, a 16-bit format, a 32-bit length, then as
many bytes of JSON: ``{"build_id", "path", "made_by", "frames_address",
"header_address", "sections": {name: [offset, packed size, size]}}``, offsets from
the end of the JSON. Each section is one zstd frame:

``functions``   rows of (start u64, size u32, name u32); ``names`` holds the text
``variables``   rows as ``functions``: global variables
``lines``       all starts (u64), then as many record numbers (u32): from a start on, its record holds
                (0xFFFFFFFF: nothing)
``records``     rows of (function u32, file u32, line u32, caller u32): a call, and the record of its caller
``entries``     rows of (start u64, end u64, entry point u64): the ranges of each function with DWARF
``calls``       rows of (entry point u64, return address u64, target u64, name u32, jump u32): call sites that
                are jumps, or that may lead to one
``names``       NUL-terminated UTF-8, offsets as used above
``assertions``  JSON: [[address of the load, sentence, address of the crash, code there in hex], ...]
``layouts``     JSON: {struct: {member: offset}}
``frames`` ``header``  the call frame tables (.eh_frame, .eh_frame_hdr)
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_right
from typing import Any

from forensics.absence import Absence
from forensics.symbols.assertions import Assertion
from forensics.symbols.dwarf.call_sites import CallSite
from forensics.symbols.site import Call
from forensics.symbols.table import SymbolTable

MAGIC = b"HAPSYM"
FORMAT = 1
HEAD = struct.Struct("<6sHI")
FUNCTION = struct.Struct("<QII")
ENTRY = struct.Struct("<QQQ")
JUMP = struct.Struct("<QQQII")
NOTHING = 0xFFFFFFFF

#: Bounds for packs from strangers, in bytes.
_MAX_HEADER = 1 << 20
_MAX_SECTION = 1 << 28


def pack_name(build_id: str) -> str:
    """The file name of a build's pack."""
    return f"{build_id}.symbols"


class SymbolPack:
    """An open pack; sections are decompressed when they are asked for."""

    def __init__(self, path: str, header: dict[str, Any], body: bytes) -> None:
        self.path = path
        self.size = len(body)
        self.build_id = str(header["build_id"])
        self.image_path = str(header["path"])
        self.made_by = str(header.get("made_by", ""))
        self.frames_address = int(header["frames_address"])
        self.header_address = int(header["header_address"])
        self._sections: dict[str, list[int]] = header["sections"]
        self._body = body
        self._open: dict[str, bytes] = {}
        self._table: SymbolTable | None = None
        self._entries: list[tuple[int, int, int]] | None = None
        self._calls: dict[int, list[CallSite]] = {}
        self._lines: tuple[array[int], array[int], array[int]] | None = None

    def section(self, name: str) -> bytes:
        """One section; b"" when the pack has none or it is damaged."""
        data = self._open.get(name)
        if data is None:
            data = self._open[name] = self._decompress(name)
        return data

    def _decompress(self, name: str) -> bytes:
        place = self._sections.get(name)
        if place is None or place[2] > _MAX_SECTION:
            return b""
        import zstandard

        offset, packed, size = place
        try:
            return zstandard.ZstdDecompressor().decompress(self._body[offset : offset + packed], max_output_size=size)
        except zstandard.ZstdError:
            return b""

    def name(self, offset: int) -> str:
        """The text at ``offset`` of ``names``."""
        names = self.section("names")
        return names[offset : names.find(b"\0", offset)].decode("utf-8", "replace")

    @property
    def table(self) -> SymbolTable:
        """The functions of the symbol table."""
        if self._table is None:
            data = self.section("functions")
            rows = FUNCTION.iter_unpack(data[: len(data) - len(data) % FUNCTION.size])
            self._table = SymbolTable((start, size, self.name(name)) for start, size, name in rows)
        return self._table

    @property
    def variables(self) -> dict[str, int]:
        """Addresses of the global variables."""
        data = self.section("variables")
        rows = FUNCTION.iter_unpack(data[: len(data) - len(data) % FUNCTION.size])
        return {self.name(name): start for start, _size, name in rows}

    @property
    def has_lines(self) -> bool:
        """Whether the build had DWARF when the pack was made."""
        return "lines" in self._sections

    def calls(self, pc: int) -> tuple[Call, ...]:
        """The calls active at ``pc``, innermost first; none without DWARF."""
        starts, chosen, records = self._open_lines()
        index = bisect_right(starts, pc) - 1
        record = chosen[index] if index >= 0 else NOTHING
        calls: list[Call] = []
        while record != NOTHING and record * 4 + 3 < len(records) and len(calls) < 256:
            function, file, line, caller = records[record * 4 : record * 4 + 4]
            calls.append(Call(self.name(function), self.name(file), line))
            record = caller
        return tuple(calls)

    def _open_lines(self) -> tuple[array[int], array[int], array[int]]:
        if self._lines is None:
            rows = self.section("lines")
            count = len(rows) // 12
            starts, chosen, records = array("Q"), array("I"), array("I")
            starts.frombytes(rows[: count * 8])
            chosen.frombytes(rows[count * 8 : count * 12])
            data = self.section("records")
            records.frombytes(data[: len(data) - len(data) % 16])
            self._lines = starts, chosen, records
        return self._lines

    def call_sites(self, pc: int) -> tuple[int, list[CallSite]]:
        """Entry point and call sites of the function that holds ``pc``; (0, []) when DWARF tells of none."""
        if self._entries is None:
            data = self.section("entries")
            self._entries = list(ENTRY.iter_unpack(data[: len(data) - len(data) % ENTRY.size]))
            data = self.section("calls")
            for entry, address, target, name, jump in JUMP.iter_unpack(data[: len(data) - len(data) % JUMP.size]):
                site = CallSite(address, target, self.name(name), bool(jump))
                self._calls.setdefault(entry, []).append(site)
        index = bisect_right(self._entries, (pc, NOTHING << 32, 0)) - 1
        if index < 0 or pc >= self._entries[index][1]:
            return 0, []
        entry = self._entries[index][2]
        return entry, self._calls.get(entry, [])

    @property
    def assertions(self) -> list[Assertion]:
        """Every assertion of the build, by address."""
        try:
            return [
                Assertion(int(load), str(sentence), int(crash), bytes.fromhex(code))
                for load, sentence, crash, code in self._json("assertions") or ()
            ]
        except (TypeError, ValueError):
            return []

    def _json(self, name: str) -> Any:
        """A section of JSON; None when there is none or it is damaged."""
        try:
            return json.loads(self.section(name) or b"null")
        except (ValueError, RecursionError):
            return None

    def layout(self, structure: str) -> dict[str, int] | Absence:
        """Members of a structure and their offsets, as kept when the pack was made."""
        layouts = self._json("layouts")
        found = layouts.get(structure) if isinstance(layouts, dict) else None
        if not isinstance(found, dict) or not all(isinstance(offset, int) for offset in found.values()):
            return Absence(f"struct {structure}", f"the symbol pack {self.path} does not hold its layout")
        return found


def open_pack(path: str) -> SymbolPack | Absence:
    """The pack at ``path``, or why it cannot be used."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD.size)
            if len(head) < HEAD.size or not head.startswith(MAGIC):
                return Absence(path, "it is no symbol pack")
            _magic, version, length = HEAD.unpack(head)
            if version != FORMAT:
                return Absence(path, f"it is of format {version}, this version reads {FORMAT}", "make the pack again")
            if length > _MAX_HEADER:
                return Absence(path, "its header is damaged")
            header = json.loads(file.read(length))
            return SymbolPack(path, header, file.read(_MAX_SECTION))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Absence(path, f"it cannot be read ({error})")
