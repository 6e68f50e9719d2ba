"""Entries of stick-tables: ``struct stksess``, with the key behind it and the data before it (stick_table-t.h)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.stick_data import DICT, DataType, value_of
from forensics.haproxy.stick_table import StickTable
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.ticks import signed
from forensics.haproxy.walks import Walk, iter_tree
from forensics.record import record

#: Entries from which on reading them one by one is cheaper than reading what lies around them as well.
_MANY = 50_000
#: Longest key that is read, in bytes; configurations have some hundred at most.
_LONGEST_KEY = 1 << 14


@record
class Entry:
    """One entry. ``expires_in`` is in milliseconds (0: due or never), ``use`` counts references.

    ``key`` is in the form of `show table`; ``shard`` is that of its peers (2.7), None where the build has none.
    ``values`` are those of the table's types of data, one for each element: its name, the value, and whether it may
    be a secret (names of servers).
    """

    address: int
    key: str
    use: int
    expires_in: int
    shard: int | None
    values: tuple[tuple[str, str, bool], ...]


class Entries:
    """The entries of one table, in the order of HAProxy: tree by tree, each by key."""

    def __init__(self, space: TypedMemory, table: StickTable, now_ms: int) -> None:
        self.walk = Walk()
        self._space = space
        self._table = table
        self._now_ms = now_ms
        self._alone = table.used > _MANY
        self.missing = self._measure()

    def _measure(self) -> Absence | None:
        """Where the members lie; why not, if the layouts do not say."""
        layout = self._space.layout("stksess")
        node = self._space.layout("ebmb_node")
        if isinstance(layout, Absence):
            return layout
        if isinstance(node, Absence):
            return node
        needed = [layout.fields.get(name) for name in ("key", "expire", "ref_cnt")]
        key = node.fields.get("key")
        if None in needed or key is None:
            return Absence("entries", "struct stksess of this build has other members")
        fields = layout.fields
        self._node = fields["key"].offset
        self._key = fields["key"].offset + key.offset
        self._expire, self._count = fields["expire"].offset, fields["ref_cnt"].offset
        self._shard = fields.get("shard")
        return None

    def addresses(self) -> Iterator[int]:
        """The address of each ``struct stksess``."""
        if self.missing is not None:
            return
        for root in self._table.roots:
            for leaf in iter_tree(self._space.memory, root, self.walk, alone=self._alone):
                yield leaf - self._node

    def count(self) -> int:
        """The number of entries, by walking to each of them."""
        return sum(1 for _address in self.addresses())

    def read(self, address: int) -> Entry | Absence:
        """The entry at ``address``."""
        table, memory = self._table, self._space.memory
        before = min(max(table.data_size + 7 & ~7, 0), _LONGEST_KEY)
        size = min(max(table.key_size, 0), _LONGEST_KEY)
        data = memory.read(address - before, before + self._key + size, alone=self._alone)
        if isinstance(data, Absence):
            return Absence(f"entry at {address:#x}", data.reason, data.remedy)
        entry = data[before:]
        count = int.from_bytes(entry[self._count : self._count + 4], "little")
        expire = int.from_bytes(entry[self._expire : self._expire + 4], "little")
        values = tuple(self._values(data, before))
        return Entry(
            address=address,
            key=key_text(table.type, entry[self._key : self._key + size]),
            use=count,
            expires_in=remaining(self._now_ms, expire),
            shard=self._shard_of(entry),
            values=values,
        )

    def _shard_of(self, entry: bytes) -> int | None:
        if self._shard is None:
            return None
        place = self._shard.offset
        return int.from_bytes(entry[place : place + self._shard.size], "little", signed=self._shard.kind == "int")

    def _values(self, data: bytes, before: int) -> Iterator[tuple[str, str, bool]]:
        for one in self._table.data:
            start = before + one.offset
            stored = data[start : start + one.size] if start >= 0 else b""
            if len(stored) < one.size:
                continue
            for element in range(one.elements):
                yield one.label(element), self._shown(stored, one, element), one.kind == DICT

    def _shown(self, stored: bytes, one: DataType, element: int) -> str:
        value = value_of(stored, one, element, self._now_ms)
        return self._dictionary(value) if one.kind == DICT else str(value)

    def _dictionary(self, address: int) -> str:
        """The text of a ``struct dict_entry``, whose first member is a struct ebpt_node (dict-t.h); `-` for none."""
        if not address:
            return "-"
        entry = self._space.at("ebpt_node", address)
        text = entry if isinstance(entry, Absence) else entry.number("key")
        found = text if isinstance(text, Absence) else self._space.text(text, 256)
        return found if isinstance(found, str) else f"{address:#x}"


def remaining(now_ms: int, tick: int) -> int:
    """Milliseconds until ``tick``, 0 for what is due or never is (tick_remain(), ticks.h)."""
    return max(signed(tick - now_ms), 0) if tick else 0


def key_text(kind: str, data: bytes) -> str:
    """A key as `show table` prints it: addresses in network order, integers in that of the machine."""
    if kind == "ip" and len(data) >= 4:
        return socket.inet_ntop(socket.AF_INET, data[:4])
    if kind == "ipv6" and len(data) >= 16:
        return socket.inet_ntop(socket.AF_INET6, data[:16])
    if kind == "integer" and len(data) >= 4:
        return str(int.from_bytes(data[:4], "little"))
    if kind == "string":
        return "".join(map(_escaped, data.split(b"\0", 1)[0]))
    return data.hex().upper()


def _escaped(byte: int) -> str:
    """As dump_text() of tools.c writes it: blanks and signs of its own with a backslash, other bytes in hex."""
    character = chr(byte)
    named = {9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e"}.get(byte)
    if named is not None:
        return named
    if character in "\\ =":
        return "\\" + character
    return character if 32 < byte < 127 else f"\\x{byte:02X}"
