"""Values that entries of stick-tables store, from bytes."""

from __future__ import annotations

import struct

from forensics.haproxy.stick_data import DICT, FRQP, SINT, UINT, ULL, DataType, value_of


def test_values_are_signed_or_not_as_their_kind_says() -> None:
    ones = b"\xff" * 24
    assert value_of(ones, DataType("server_id", SINT, -4), 0, 0) == -1
    assert value_of(ones, DataType("gpc0", UINT, -4), 0, 0) == 0xFFFFFFFF
    assert value_of(ones, DataType("bytes_in_cnt", ULL, -8), 0, 0) == (1 << 64) - 1
    assert value_of(ones, DataType("server_key", DICT, -8), 0, 0) == (1 << 64) - 1
    rates = struct.pack("<III", 0, 1, 0) + struct.pack("<III", 1000, 7, 0)
    assert value_of(rates, DataType("gpc_rate", FRQP, -24, 10_000, 2, array=True), 1, 1000) == 7
    assert value_of(rates, DataType("bytes_in_rate", FRQP, -24, 10_000, factor=1024), 0, 0) == 1024


def test_labels_are_those_of_the_command() -> None:
    assert DataType("gpc0", UINT, -4).label() == "gpc0"
    assert DataType("conn_rate", FRQP, -12, 10_000).label() == "conn_rate(10000)"
    assert DataType("gpc", UINT, -12, elements=3, array=True).label(2) == "gpc2"
    assert DataType("gpc_rate", FRQP, -24, 3_600_000, 2, array=True).label(1) == "gpc1_rate(3600000)"
