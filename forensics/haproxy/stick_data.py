"""What entries of stick-tables store beside their key: the types of data, and their values (stick_table-t.h).

HAProxy describes them itself, in the array ``stktable_data_types``: name, kind of value, kind of argument. gcc drops
the anonymous enumeration of their numbers, and a core may lack the names: those of :data:`KNOWN` stand in then.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.freq_ctr import rate_of
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import record

#: STD_T_*: how a value is stored, the same in all releases from 2.2 to 3.5-dev.
SINT, UINT, ULL, FRQP, DICT = range(5)
#: Bytes of one value (stktable_type_size()): an int, an unsigned int, an unsigned long long, a freq_ctr, a pointer.
SIZES = (4, 4, 8, 12, 8)
#: ARG_T_DELAY: the argument of the type is a period, in milliseconds.
_DELAY = 2
#: STKTABLE_MAX_DT_ARRAY_SIZE (2.5): elements of an array that a configuration may ask for.
_MOST_ELEMENTS = 100
#: Types that a build may have: 27 until 3.4, and those that add-ons register (STKTABLE_EXTRA_DATA_TYPES).
_MOST_TYPES = 256

#: Name and kind of STKTABLE_DT_* by number, as stick_table-t.h and stick_table.c have them in 2.6.12 (up to 24), 3.0.11
#: (all) and 016627c (3.4-dev, no other). 2.2.9 ends with 19, which is ``server_name`` there (``server_key`` since 2.4).
KNOWN: tuple[tuple[str, int], ...] = (
    ("server_id", SINT), ("gpt0", UINT), ("gpc0", UINT), ("gpc0_rate", FRQP), ("conn_cnt", UINT), ("conn_rate", FRQP),
    ("conn_cur", UINT), ("sess_cnt", UINT), ("sess_rate", FRQP), ("http_req_cnt", UINT), ("http_req_rate", FRQP),
    ("http_err_cnt", UINT), ("http_err_rate", FRQP), ("bytes_in_cnt", ULL), ("bytes_in_rate", FRQP),
    ("bytes_out_cnt", ULL), ("bytes_out_rate", FRQP), ("gpc1", UINT), ("gpc1_rate", FRQP), ("server_key", DICT),
    ("http_fail_cnt", UINT), ("http_fail_rate", FRQP), ("gpt", UINT), ("gpc", UINT), ("gpc_rate", FRQP),
    ("glitch_cnt", UINT), ("glitch_rate", FRQP),
)  # fmt: skip


@record
class DataType:
    """One type of data that a table stores.

    ``offset`` is where it begins before the entry (bytes, from the address of struct stksess, negative); ``period`` is
    that of a rate in milliseconds, 0 for what is none; ``elements`` is 1 for what is no array; ``factor`` is what the
    rates of bytes are multiplied with (brates_factor, 3.2).
    """

    name: str
    kind: int
    offset: int
    period: int = 0
    elements: int = 1
    array: bool = False
    factor: int = 1

    @property
    def size(self) -> int:
        """Bytes of all its elements."""
        return SIZES[self.kind] * self.elements

    def label(self, element: int = 0) -> str:
        """As `show table` calls it: ``gpc0``, ``conn_rate(10000)``; of an array ``gpc3_rate(10000)``."""
        name = self.name
        if self.array:
            head, underscore, tail = name.partition("_")
            name = f"{head}{element}{underscore}{tail}"
        return f"{name}({self.period})" if self.kind == FRQP else name


def stored_types(space: TypedMemory, table: Struct) -> tuple[DataType, ...]:
    """The types of data that a ``struct stktable`` stores, in the order of their numbers."""
    found = []
    known = dict(enumerate(_described(space, table)))
    for number, offset in enumerate(table.numbers("data_ofs")[:_MOST_TYPES]):
        if not offset or number not in known:
            continue
        name, kind, delay, array = known[number]
        argument = table.inner("data_arg", number)
        period = argument.number("u") if isinstance(argument, Struct) else 0
        elements = table.number("data_nbelem", number) if array else 1
        if not -(1 << 16) < offset < 0 or not isinstance(elements, int) or not 0 < elements <= _MOST_ELEMENTS:
            continue  # nothing that a configuration can ask for
        factor = table.number("brates_factor") if name.startswith("bytes_") and name.endswith("_rate") else 1
        found.append(DataType(name, kind, offset, (period or 0) if delay else 0, elements, array, factor or 1))
    return tuple(found)


def _described(space: TypedMemory, table: Struct) -> Iterator[tuple[str, int, bool, bool]]:
    """Name, kind, whether its argument is a period, and whether it is an array, of each number."""
    extent, offsets = space.extent("stktable_data_types"), table.field("data_ofs")
    count = 0 if isinstance(offsets, Absence) else offsets.count
    # 16 bytes an element in 2.2, 24 since arrays came (2.5).
    width = extent[1] // count if isinstance(extent, tuple) and count else 0
    for number in range(min(count, _MOST_TYPES)):
        data = space.memory.read(extent[0] + number * width, 16) if isinstance(extent, tuple) and width >= 16 else None
        known, kind = KNOWN[number] if number < len(KNOWN) else (f"type{number}", UINT)
        delay, array = kind == FRQP, known in ("gpt", "gpc", "gpc_rate")
        if isinstance(data, bytes):
            pointer, told, argument = struct.unpack("<QII", data)
            name = space.text(pointer, 64)
            # An older 19 has another name; all other numbers kept theirs.
            known = name if isinstance(name, str) and name.isidentifier() else known
            kind = told if told < len(SIZES) else kind
            delay = argument == _DELAY
            array = _is_array(space, extent, number, width, array)
        yield known, kind, delay, array


def _is_array(space: TypedMemory, extent: object, number: int, width: int, otherwise: bool) -> bool:
    """Whether bit 0 of the flags behind the three first members is set (is_array, 2.5)."""
    if width < 20 or not isinstance(extent, tuple):
        return False
    data = space.memory.read(extent[0] + number * width + 16, 4)
    return bool(data[0] & 1) if isinstance(data, bytes) else otherwise


def value_of(data: bytes, one: DataType, element: int, now_ms: int) -> int:
    """One value: of a rate what read_freq_ctr_period() makes of it, of a dictionary's entry its address."""
    size = SIZES[one.kind]
    raw = data[element * size : (element + 1) * size]
    if one.kind == FRQP:
        tick, current, previous = struct.unpack("<III", raw)
        return rate_of(tick, current, previous, one.period, now_ms) * one.factor
    return int.from_bytes(raw, "little", signed=one.kind == SINT)
