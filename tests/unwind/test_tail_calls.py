"""Functions that left no frame: found only where one way is possible."""

from __future__ import annotations

from forensics.unwind.tail_calls import Jump, jumps_between
from tests.builders.bounds import within_seconds

#: main (100) calls at 105.
A, B, C, D = 200, 300, 400, 500


def between(sites: dict[int, list[Jump]], callee: int, target: int = A) -> list[int]:
    """The jumps between main's call to ``target`` and ``callee``."""
    sites = {100: [Jump(105, target, False)]} | sites
    return jumps_between(lambda start: sites.get(start, []), 100, 105, callee)


def test_a_direct_call_has_no_jump() -> None:
    """The target is running."""
    assert between({}, A) == []


def test_one_jump_is_found() -> None:
    """main calls A, A jumps to B, B runs."""
    assert between({A: [Jump(210, B, True)]}, B) == [210]


def test_two_jumps_are_found_nearest_to_the_callee_first() -> None:
    """As a backtrace lists them."""
    assert between({A: [Jump(210, B, True)], B: [Jump(310, C, True)]}, C) == [310, 210]


def test_plain_calls_are_no_jumps() -> None:
    """They would have left a frame."""
    assert between({A: [Jump(210, B, False)]}, B) == []


def test_a_jump_through_a_pointer_makes_every_way_possible() -> None:
    """So none is told."""
    assert between({A: [Jump(210, B, True), Jump(220, 0, True)]}, B) == []


def test_a_call_through_a_pointer_tells_nothing() -> None:
    """Its target is 0."""
    assert between({A: [Jump(210, B, True)]}, B, target=0) == []


def test_a_call_site_that_is_not_known_tells_nothing() -> None:
    """Assembly, other compilers."""
    assert jumps_between(lambda _start: [], 100, 105, B) == []


def test_of_two_ways_only_what_they_share_is_given() -> None:
    """A jumps to B or C, both jump to D: A's jumps differ, B's and C's too."""
    sites = {A: [Jump(210, B, True), Jump(220, C, True)], B: [Jump(310, D, True)], C: [Jump(410, D, True)]}
    assert between(sites, D) == []


def test_a_shared_beginning_is_given() -> None:
    """A jumps to B, B to D in two places."""
    assert between({A: [Jump(210, B, True)], B: [Jump(310, D, True), Jump(320, D, True)]}, D) == [210]


def test_a_shared_end_is_given() -> None:
    """A jumps to B in two places, B to D in one."""
    assert between({A: [Jump(210, B, True), Jump(220, B, True)], B: [Jump(310, D, True)]}, D) == [310]


def test_ways_that_lead_elsewhere_do_not_count() -> None:
    """A dead end is no way to the callee."""
    assert between({A: [Jump(210, B, True), Jump(220, C, True)], C: []}, B) == [210]


def test_functions_that_jump_in_a_circle_end() -> None:
    """A to B, B to A or C."""
    assert between({A: [Jump(210, B, True)], B: [Jump(310, A, True), Jump(320, C, True)]}, C) in ([320, 210], [])


def test_a_maze_of_jumps_is_bounded() -> None:
    """Thirty functions, each of which jumps to every other."""
    starts = [200 + 100 * number for number in range(30)]
    sites = {start: [Jump(start + place, other, True) for place, other in enumerate(starts)] for start in starts}
    with within_seconds(2):
        assert between(sites, 99_999) == []
