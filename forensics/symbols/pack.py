"""Symbol packs: what the files of builds say, in one file that can be shared.

A pack is a sequence of entries, one a build, so that ``cat`` joins packs. Format 2, little-endian; an entry is
``b"HAPSYM"``, a 16-bit format, the length of its JSON (u32), the length of its body (u64), the JSON and the body.
The JSON: ``{"build_id", "path", "made_by", "machine", "version", "frames_address", "header_address",
"complete", "sections": {name: [offset, packed size, size]}}``, offsets from the start of the body; ``machine``
is e_machine, ``version`` HAProxy's own ("" for a library),
``complete`` tells that static functions are among the names. Each section is one zstd frame:

``functions``   rows of (start u64, size u32, name u32); ``names`` holds the text
``variables``   rows as ``functions``: global variables
``names``       NUL-terminated UTF-8, offsets as used above
``assertions``  JSON: [[address of the load, sentence, address of the crash, code there in hex], ...]
``checks``      JSON: [[address of the entry of dbg_cnt, kind, file, line, function, description], ...]
``references``  JSON: [[address of code, file, line, function], ...] of the assertions that the code refers to
``frames``      .eh_frame, the call frame tables; ``header`` .eh_frame_hdr; ``.debug_frame`` where there is one

and of the DWARF either the sections themselves (``symbols add``: complete and quick to make), under their own names,
those of a supplementary file (dwz) with ``sup`` before them, or what was worked out from them
(``symbols pack --slim``: a quarter of the size, with the structures of HAProxy's state, without other types
and variables):

``lines``       all starts (u64), then as many record numbers (u32): from a start on, its record holds
                (0xFFFFFFFF: nothing)
``records``     rows of (function u32, file u32, line u32, caller u32): a call, and the record of its caller
``entries``     rows of (start u64, end u64, entry point u64): the ranges of each function with DWARF
``calls``       rows of (entry point u64, return address u64, target u64, name u32, jump u32): call sites that
                are jumps, or that may lead to one
``types``       JSON: {"structs": {name: layout}, "enums": {name: {value: text}}} (see ``symbols/layout.py``)
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from zlib import crc32

from forensics.absence import Absence
from forensics.errors import InputError
from forensics.memory.random_access import LocalFile, RandomAccess
from forensics.symbols.site import Call

# A pack of a build that is known is opened, and nothing is read of it.
if TYPE_CHECKING:
    from forensics.symbols.assertions import Assertion
    from forensics.symbols.checks import Checks
    from forensics.symbols.dwarf.call_sites import CallSite
    from forensics.symbols.hints import Reference
    from forensics.symbols.table import SymbolTable

MAGIC = b"HAPSYM"
FORMAT = 2
HEAD = struct.Struct("<6sHIQ")
FUNCTION = struct.Struct("<QII")
ENTRY = struct.Struct("<QQQ")
JUMP = struct.Struct("<QQQII")
NOTHING = 0xFFFFFFFF

#: Before the names of a supplementary file's sections.
SUPPLEMENT = "sup"

#: Bounds for packs from strangers: bytes of one JSON and of one section, entries of one file.
_MAX_HEADER = 1 << 20
_MAX_SECTION = 1 << 28
_MAX_ENTRIES = 4096


class SymbolPack:
    """One build in a pack; sections are read and decompressed when they are asked for."""

    def __init__(self, source: RandomAccess, entry: tuple[int, int], size: int, header: dict[str, Any]) -> None:
        """``entry`` holds where the entry and its body begin in ``source``, ``size`` that of the body (bytes).

        KeyError, TypeError or ValueError for a header that is damaged.
        """
        self.path = source.name
        self.size = size
        self.build_id = str(header["build_id"])
        self.image_path = str(header["path"])
        self.made_by = str(header.get("made_by", ""))
        self.machine = int(header["machine"])
        self.version = str(header.get("version", ""))
        #: Whether it has the names of all functions, static ones too: the build had a .symtab.
        self.complete = bool(header.get("complete", "entries" in header["sections"]))
        self.frames_address = int(header["frames_address"])
        self.header_address = int(header["header_address"])
        self._source = source
        self._entry, self._start = entry
        self._sections = {str(name): _place(place) for name, place in header["sections"].items()}
        self._stamp = crc32(json.dumps(header, sort_keys=True).encode())
        self._open: dict[str, bytes] = {}
        self._table: SymbolTable | None = None
        self._entries: list[tuple[int, int, int]] | None = None
        self._calls: dict[int, list[CallSite]] = {}
        self._lines: tuple[array[int], array[int], array[int]] | None = None
        self._known_types: dict[str, Any] | None = None

    @property
    def identity(self) -> str:
        """Changes whenever the content does."""
        return f"{self.path}:{self.size}:{self._stamp:x}"

    @property
    def section_names(self) -> tuple[str, ...]:
        """The sections that this entry holds."""
        return tuple(self._sections)

    @property
    def has_dwarf(self) -> bool:
        """Whether it tells source lines."""
        return self.has_lines or ".debug_info" in self._sections

    def content(self) -> bytes:
        """The entry as it is written, for another pack."""
        return self._source.read(self._entry, self._start + self.size - self._entry)

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
        if offset + packed > self.size:
            return b""
        try:
            data = zstandard.ZstdDecompressor().decompress(
                self._source.read(self._start + offset, packed), max_output_size=size
            )
        except zstandard.ZstdError:
            return b""
        return data if len(data) == size else b""

    def broken_sections(self) -> list[str]:
        """The sections whose bytes are not those that were written (each carries a checksum)."""
        return [name for name, place in self._sections.items() if place[2] and not self.section(name)]

    def name(self, offset: int) -> str:
        """The text at ``offset`` of ``names``."""
        names = self.section("names")
        return names[offset : names.find(b"\0", offset)].decode("utf-8", "replace")

    @property
    def table(self) -> SymbolTable:
        """The functions of the symbol table."""
        if self._table is None:
            from forensics.symbols.table import SymbolTable

            data = self.section("functions")
            rows = FUNCTION.iter_unpack(data[: len(data) - len(data) % FUNCTION.size])
            named = ((start, size, self.name(name)) for start, size, name in rows)
            self._table = SymbolTable(named, complete=self.complete)
        return self._table

    @property
    def extents(self) -> dict[str, tuple[int, int]]:
        """Address and size in bytes of each global variable."""
        data = self.section("variables")
        rows = FUNCTION.iter_unpack(data[: len(data) - len(data) % FUNCTION.size])
        return {self.name(name): (start, size) for start, size, name in rows}

    @property
    def has_lines(self) -> bool:
        """Whether the lines were worked out when the pack was made."""
        return "lines" in self._sections

    @property
    def image(self) -> PackedImage | Absence:
        """The DWARF as it was in the build's files; an Absence in a slim pack, or when there was none."""
        if ".debug_info" not in self._sections:
            return Absence(f"DWARF of {self.image_path}", f"the symbol pack {self.path} does not hold it")
        return PackedImage(self, "")

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
            from forensics.symbols.dwarf.call_sites import CallSite

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
        from forensics.symbols.assertions import Assertion

        try:
            return [
                Assertion(int(load), str(sentence), int(crash), bytes.fromhex(code))
                for load, sentence, crash, code in self._json("assertions") or ()
            ]
        except (TypeError, ValueError):
            return []

    @property
    def checks(self) -> Checks:
        """The checks that the build counts; none in packs of builds that count none."""
        from forensics.symbols.checks import Check, Checks

        try:
            return Checks([Check.from_plain(row) for row in self._json("checks") or ()])
        except (TypeError, ValueError):
            return Checks(())

    @property
    def references(self) -> list[Reference]:
        """The assertions that code refers to, by the address of that code."""
        from forensics.symbols.hints import Reference

        try:
            rows = self._json("references") or ()
            return [Reference(int(at), str(file), int(line), str(name)) for at, file, line, name in rows]
        except (TypeError, ValueError):
            return []

    def _json(self, name: str) -> Any:
        """A section of JSON; None when there is none or it is damaged."""
        try:
            return json.loads(self.section(name) or b"null")
        except (ValueError, RecursionError):
            return None

    @property
    def structs(self) -> dict[str, Any]:
        """The layouts of structures that a slim pack holds, by name, as ``Layout.to_plain`` gives them."""
        return self._types("structs")

    @property
    def enums(self) -> dict[str, Any]:
        """The enumerations that a slim pack holds: {name: {value: text}}."""
        return self._types("enums")

    def _types(self, kind: str) -> dict[str, Any]:
        if self._known_types is None:
            found = self._json("types")
            self._known_types = found if isinstance(found, dict) else {}
        found = self._known_types.get(kind)
        return found if isinstance(found, dict) else {}


class PackedImage:
    """The debug sections of a pack, for the readers of DWARF: it answers as an image does."""

    split_directories: tuple[str, ...] = ()

    def __init__(self, pack: SymbolPack, prefix: str) -> None:
        self.path = pack.path
        self._pack = pack
        self._prefix = prefix

    def section(self, name: str) -> bytes | Absence:
        """The bytes of a section."""
        data = self._pack.section(self._prefix + name)
        return data or Absence(f"{name} of {self._pack.image_path}", f"the symbol pack {self.path} has no such section")

    @property
    def sections(self) -> dict[str, bool]:
        """The names of the sections."""
        start = len(self._prefix)
        return {name[start:]: True for name in self._pack.section_names if name.startswith(self._prefix + ".")}

    def joined(self, name: str) -> bytes:
        """The bytes of a section: a pack has one of each name."""
        return self._pack.section(self._prefix + name)

    @property
    def supplement(self) -> PackedImage | None:
        """The supplementary file of dwz, where the build has one."""
        name = SUPPLEMENT + ".debug_info"
        return PackedImage(self._pack, SUPPLEMENT) if not self._prefix and name in self._pack.section_names else None


def _place(place: Any) -> tuple[int, int, int]:
    """Where a section lies; ValueError for numbers that cannot be true."""
    offset, packed, size = (int(number) for number in place)
    if min(offset, packed, size) < 0:
        raise ValueError("a section of negative size")
    return offset, packed, size


def open_packs(path: str) -> tuple[SymbolPack, ...] | Absence:
    """All builds of the pack at ``path``, or why it cannot be used."""
    try:
        source = LocalFile(path)
        return tuple(_entries(source))
    except InputError as error:
        return Absence(path, error.message)
    except _Refused as refused:
        return Absence(path, refused.reason, "make the pack again: `haproxy-forensics symbols pack`")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Absence(path, f"it cannot be read ({error})")


def open_pack(path: str, build_id: str = "") -> SymbolPack | Absence:
    """The build ``build_id`` in the pack at ``path``, the first one for ""; or why there is none."""
    packs = open_packs(path)
    if isinstance(packs, Absence):
        return packs
    for pack in packs:
        if build_id in ("", pack.build_id):
            return pack
    return Absence(path, f"it holds {len(packs)} builds, and not {build_id}" if build_id else "it is empty")


class _Refused(Exception):
    """What lies there is no pack that can be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _entries(source: RandomAccess) -> Iterator[SymbolPack]:
    position = count = 0
    while position < source.size or not count:
        head = source.read(position, HEAD.size)
        if not head.startswith(MAGIC) or len(head) < HEAD.size - 8:
            raise _Refused("it is no symbol pack" if not count else f"it is damaged at {position:#x}")
        version = int.from_bytes(head[6:8], "little")
        if version != FORMAT:
            raise _Refused(f"it is of format {version}, this version reads {FORMAT}")
        if len(head) < HEAD.size:
            raise _Refused("its header is damaged")
        _magic, _version, length, body = HEAD.unpack(head)
        start = position + HEAD.size + length
        if length > _MAX_HEADER or count >= _MAX_ENTRIES:
            raise _Refused("its header is damaged")
        if start + body > source.size:
            raise _Refused("its end is missing")
        yield SymbolPack(source, (position, start), body, json.loads(source.read(position + HEAD.size, length)))
        position = start + body
        count += 1
