"""Logs of termination events, as HAProxy 3.2 prints them."""

from __future__ import annotations

import pytest

from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.term_events import event_letters


class Named(TypedMemory):
    """Types of a build that names these places."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names

    def enumeration(self, name: str) -> dict[int, str]:
        """Only the places of events are known."""
        return self.names if name == "term_event_loc" else {}


PLACES = {
    1: "tevt_loc_fd",
    2: "tevt_loc_hs",
    3: "tevt_loc_xprt",
    4: "tevt_loc_muxc",
    5: "tevt_loc_se",
    6: "tevt_loc_strm",
}


@pytest.mark.parametrize(
    ("value", "letters"),
    [(0, ""), (0x13, "f3"), (0x13D1, "f3E1"), (0x9A456E1F, "Fam5seff"), (0xFFFFFFFF, "-"), (-1, "-")],
)
def test_a_letter_for_the_place_a_capital_for_the_server_a_digit_for_the_kind(value: int, letters: str) -> None:
    assert event_letters(Named(PLACES), value) == letters


def test_places_without_a_name_are_dashes() -> None:
    assert event_letters(Named({}), 0x13D1) == "-3-1"
