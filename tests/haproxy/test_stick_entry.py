"""Keys and dates of entries, from bytes."""

from __future__ import annotations

import pytest

from forensics.haproxy.stick_entry import key_text, remaining


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("ip", bytes([192, 0, 2, 7]), "192.0.2.7"),
        ("ipv6", bytes([0x20, 1, 0xD, 0xB8]) + bytes(11) + b"\x07", "2001:db8::7"),
        ("integer", (4_294_967_295).to_bytes(4, "little"), "4294967295"),
        ("string", b"a b=c\\\t\x01\xff\0rest", "a\\ b\\=c\\\\\\t\\x01\\xFF"),
        ("binary", b"\x0a\x0b\xff", "0A0BFF"),
        ("ip", b"\x01", "01"),  # a key that is cut is shown as it is
        ("type7", b"\x01\x02", "0102"),
    ],
)
def test_a_key_has_the_form_of_its_type(kind: str, data: bytes, shown: str) -> None:
    assert key_text(kind, data) == shown


@pytest.mark.parametrize(
    ("now", "tick", "left"),
    [(1000, 1500, 500), (1000, 1000, 0), (1000, 900, 0), (1000, 0, 0), (0xFFFFFFFF, 99, 100)],
)
def test_what_remains_until_a_tick(now: int, tick: int, left: int) -> None:
    assert remaining(now, tick) == left
