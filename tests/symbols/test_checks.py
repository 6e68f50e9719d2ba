"""The entries of section dbg_cnt: their texts taken apart, and what is none."""

from __future__ import annotations

import pytest

from forensics.symbols.checks import ENTRY, Check, Checks, parse_check

TEXTS = {0x10: "src/x.c", 0x20: "some_function", 0x30: '"a == 0" [why]', 0x40: "no file", 0x50: "not a name()"}


def text_at(address: int, most: int) -> str:
    return TEXTS.get(address, "")[:most]


def check(description: str) -> Check:
    return Check(0x1000, "bug", "src/x.c", 12, "f", description)


@pytest.mark.parametrize(
    ("description", "condition", "explanation"),
    [
        ('"a == 0"', "a == 0", ""),
        ('"a == 0" [why it is so]', "a == 0", "why it is so"),
        ('"s == "b" [x]"', 's == "b" [x]', ""),
        ("a == 0\x1ewhy it is so", "a == 0", "why it is so"),
        ("a == 0", "a == 0", ""),
        ("", "", ""),
        ('"', "", ""),
        ('"1" [epoll report of HUP/ERR on a stale fd]', "1", "epoll report of HUP/ERR on a stale fd"),
    ],
)
def test_a_description_holds_condition_and_explanation(description: str, condition: str, explanation: str) -> None:
    """Quoted up to 3.4, with a separator in 3.5."""
    assert (check(description).condition, check(description).explanation) == (condition, explanation)


def test_an_entry_has_file_function_line_and_count() -> None:
    row = ENTRY.pack(0x10, 0x20, 0x30, 12, 0, 0, 7)
    assert parse_check(row, 0x1000, text_at) == (
        Check(0x1000, "bug", "src/x.c", 12, "some_function", '"a == 0" [why]'),
        7,
    )


@pytest.mark.parametrize(
    "row",
    [
        ENTRY.pack(0x40, 0x20, 0x30, 12, 0, 0, 7),
        ENTRY.pack(0x10, 0x50, 0x30, 12, 0, 0, 7),
        ENTRY.pack(0x10, 0x20, 0x30, 0, 0, 0, 7),
        ENTRY.pack(0x10, 0x20, 0x30, 12, 4, 0, 7),
        ENTRY.pack(0, 0, 0, 0, 0, 0, 0),
        b"\xff" * 32,
    ],
    ids=["file", "function", "line", "kind", "empty", "garbage"],
)
def test_what_haproxy_would_not_write_is_no_entry(row: bytes) -> None:
    assert parse_check(row, 0x1000, text_at) is None


def test_checks_are_found_by_address_and_by_place() -> None:
    """An inlined function has several entries for one place."""
    one, other = check('"a"'), Check(0x1020, "bug", "src/x.c", 12, "f", '"a"')
    checks = Checks((one, other))
    assert checks.by_address == {0x1000: one, 0x1020: other}
    assert checks.get("src/x.c", 12) == one
    assert checks.get("src/x.c", 13) is None


def test_a_check_survives_the_plain_form() -> None:
    one = check('"a"')
    assert Check.from_plain(one.to_plain()) == one
    assert Checks((one,)).borders == (0x1000, 0x1020)
    assert Checks(()).borders == (0, 0)


@pytest.mark.parametrize("plain", [[], [1], [1, "other", "f", 1, "f", "d"], ["x", "bug", "f", 1, "f", "d"], [None] * 6])
def test_other_plain_forms_are_refused(plain: list[object]) -> None:
    """Packs come from strangers."""
    with pytest.raises((TypeError, ValueError)):
        Check.from_plain(plain)
