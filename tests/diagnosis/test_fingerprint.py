"""What makes two crashes equal, and what must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.diagnosis.crashed_stack import crashed_frames, source_tail
from forensics.diagnosis.fingerprint import fingerprint
from forensics.evidence.fact import FactValue
from tests.diagnosis.crashes import RACE, STACK, crash, frame, stacks


def test_a_trace_a_paste_and_a_core_of_the_same_crash_have_the_same_stable_fingerprint() -> None:
    """They differ in spaces, clone suffixes, inlined and nameless frames, and build directory."""
    trace = crash(RACE)
    paste = crash(RACE, crash__condition="task->expire==0", stack=(STACK[0], "?", *STACK[1:]))
    core = crash(
        RACE,
        crash__source_file="/build/haproxy-2.9.6/src/task.c",
        stack=(f"{STACK[0]}.cold", "[task_queue]", f"{STACK[1]}.isra.0", *STACK[2:], "process_runnable_tasks"),
    )
    assert {fingerprint(each).stable for each in (paste, core)} == {fingerprint(trace).stable}


def test_another_release_or_build_changes_the_exact_fingerprint_and_not_the_stable_one() -> None:
    """The stable one groups a crash over releases."""
    one = fingerprint(crash(RACE), build_id="aa")
    for other in (
        fingerprint(crash(RACE), build_id="bb"),
        fingerprint(crash(RACE, process__version="2.9.5"), (), "aa"),
    ):
        assert other.stable == one.stable
        assert other.exact != one.exact


def test_another_place_in_the_same_functions_changes_the_exact_fingerprint_alone() -> None:
    """Two calls of one function are two places."""
    one = fingerprint(crash(RACE), stacks(frame("__task_queue", 16)))
    other = fingerprint(crash(RACE), stacks(frame("__task_queue", 32)))
    assert one.stable == other.stable and one.exact != other.exact


CHANGES: list[dict[str, FactValue]] = [
    {"crash__kind": "segfault"},
    {"crash__condition": "x"},
    {"crash__source_file": "src/fd.c"},
    {"stack": STACK[1:]},
]


@pytest.mark.parametrize("changed", CHANGES)
def test_another_kind_check_or_culprit_is_another_crash(changed: dict[str, FactValue]) -> None:
    """Each part counts."""
    assert fingerprint(crash(RACE, **changed)).stable != fingerprint(crash(RACE)).stable


def test_only_the_first_five_culprits_count() -> None:
    """Below them stands whoever called."""
    segfault: dict[str, FactValue] = {"crash.kind": "segfault"}
    one, other = crash(segfault, stack=(*STACK, "a")), crash(segfault, stack=(*STACK, "b"))
    assert fingerprint(one).stable == fingerprint(other).stable
    assert fingerprint(one).frames == STACK


def test_below_an_assertion_three_culprits_count() -> None:
    """Static functions, which only debug symbols name, come soon after."""
    one, other = crash(RACE, stack=STACK), crash(RACE, stack=(*STACK[:3], "http_action_track_sc"))
    assert fingerprint(one).stable == fingerprint(other).stable
    assert fingerprint(one).frames == STACK[:3]


def test_without_any_name_modules_and_offsets_are_used_within_one_build() -> None:
    """An offset of another build is another place."""
    nameless = crash({"crash.kind": "segfault", "stack": ("?", "?")})
    walked = stacks(frame("", 0x10), frame("", 0x20))
    mark = fingerprint(nameless, walked, "aa")
    assert mark.frames == ("haproxy+0x10", "haproxy+0x20")
    assert "one build only" in mark.basis
    assert mark.stable != fingerprint(nameless, walked, "bb").stable


def test_offsets_start_at_the_culprit_not_at_libc() -> None:
    """All aborts look alike from above, with and without libc's names."""
    head = [frame("raise", 1, "/lib/libc.so.6"), frame("abort", 1, "/lib/libc.so.6"), frame("", 9, "/lib/libc.so.6")]
    walked = crashed_frames(stacks(*head, frame("", 0x10)))
    assert [each.offset for each in walked] == [0x10]


def test_a_signal_frame_and_all_above_it_are_cut_off() -> None:
    """The watchdog's handler is not the culprit."""
    walked = crashed_frames(stacks(frame("wdt_handler"), frame("", status="signal_handler"), frame("f"), frame("g")))
    assert [each.function for each in walked] == ["f", "g"]


def test_the_kind_alone_groups_nothing_and_says_so() -> None:
    """All deaths for lack of memory are not one crash."""
    mark = fingerprint(crash({"crash.kind": "oom"}))
    assert mark.stable == "unknown-oom"
    assert "too little" in mark.basis


def test_when_nothing_is_known_the_fingerprint_is_a_word_that_says_so() -> None:
    """A hash of nothing would look like knowledge."""
    mark = fingerprint(crash({}))
    assert (mark.stable, mark.exact) == ("unknown", "unknown")
    assert mark.basis.startswith("nothing")


def test_an_assertion_without_a_stack_is_enough_and_the_basis_tells() -> None:
    """A log is often cut after the line of the check."""
    mark = fingerprint(crash(RACE, stack=""))
    assert mark.basis == "assertion" and mark.stable != fingerprint(crash(RACE)).stable
    assert fingerprint(crash(RACE)).basis == "assertion and stack"


def test_the_file_of_a_fault_without_a_condition_takes_no_part() -> None:
    """Only symbols give it, so witnesses would not agree."""
    one = crash(RACE, crash__condition="", crash__source_file="src/a.c")
    other = crash(RACE, crash__condition="", crash__source_file="src/b.c")
    assert fingerprint(one).stable == fingerprint(other).stable


@pytest.mark.parametrize(
    ("path", "tail"),
    [
        ("src/task.c", "src/task.c"),
        ("./src/task.c", "src/task.c"),
        ("/usr/src/haproxy/src/task.c", "src/task.c"),
        ("/b/include/haproxy/task.h", "include/haproxy/task.h"),
        ("task.c", "task.c"),
    ],
)
def test_a_build_directory_is_cut_off_a_source_file(path: str, tail: str) -> None:
    """Every packager builds elsewhere."""
    assert source_tail(path) == tail


@given(st.lists(st.text(max_size=20), max_size=8), st.text(max_size=20))
def test_any_names_give_the_same_fingerprint_twice(names: list[str], condition: str) -> None:
    """Names of a hostile core included."""
    one = crash({"stack": tuple(names), "crash.condition": condition})
    assert fingerprint(one) == fingerprint(one)
