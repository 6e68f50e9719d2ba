"""Stack patterns, also against an oracle that tries every alignment."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.matching.frames import GAP, OUTERMOST, matches_stack

PATTERN = ("__task_queue", "[_task_queue]", "stktable_requeue_exp|stktable_set_entry", "...")


@pytest.mark.parametrize(
    "stack",
    [
        ("__task_queue", "[_task_queue]", "stktable_requeue_exp", "process_stream"),
        ("__task_queue", "_task_queue", "stktable_set_entry", "process_stream"),
        ("__task_queue", "stktable_requeue_exp"),
        ("[ha_crash_now]", "__task_queue", "[x]", "[y]", "stktable_requeue_exp", "?", "main"),
        ("__task_queue.cold", "stktable_requeue_exp.isra.0", "main"),
    ],
)
def test_a_stack_fits_whatever_the_witness_shows_of_inlined_frames(stack: tuple[str, ...]) -> None:
    """Inlined frames may be shown, hidden, or stand for a physical one."""
    assert matches_stack(PATTERN, stack) is True


@pytest.mark.parametrize(
    "stack",
    [
        ("__task_queue", "listener_accept", "main"),
        ("process_stream", "__task_queue", "stktable_requeue_exp", "main"),
        ("__task_queue", "run_tasks_from_lists", "?", "?"),
        ("?", "listener_accept", "main"),
        ("__task_queue", "main"),
    ],
)
def test_a_frame_with_another_name_contradicts(stack: tuple[str, ...]) -> None:
    """Frames without a name elsewhere do not soften it."""
    assert matches_stack(PATTERN, stack) is False


@pytest.mark.parametrize(
    "stack",
    [
        ("__task_queue", "?", "process_stream", "main"),
        ("?", "?", "?", "main"),
        ("?", "stktable_requeue_exp", "main"),
        ("__task_queue",),
        (),
    ],
)
def test_frames_without_a_name_and_cut_stacks_leave_it_open(stack: tuple[str, ...]) -> None:
    """None is the answer of a witness that cannot tell."""
    assert matches_stack(PATTERN, stack) is None


def test_a_pattern_without_dots_reaches_from_the_innermost_to_the_outermost_frame() -> None:
    """Dots at either end release it."""
    assert matches_stack(["a", "b"], ["a", "b", "main"]) is False
    assert matches_stack(["a", "b", "..."], ["a", "b", "main"]) is True
    assert matches_stack(["b", "main"], ["a", "b", "main"]) is False
    assert matches_stack(["...", "b", "main"], ["a", "b", "main"]) is True
    assert matches_stack(["...", "b", "..."], ["a", "b", "c", "main"]) is True


def test_a_name_with_a_star_stands_for_every_name_that_begins_so() -> None:
    """But not for a frame without a name."""
    assert matches_stack(["stktable_*", "..."], ["stktable_touch_with_exp", "main"]) is True
    assert matches_stack(["stktable_*", "..."], ["listener_accept", "main"]) is False
    assert matches_stack(["stktable_*", "..."], ["?", "main"]) is None


def test_a_pattern_can_ask_for_a_frame_without_a_name() -> None:
    """A static function that logs cannot name, such as a lock's slow path."""
    pattern = ["pl_wait_unlock_long|?", "stktable_*", "..."]
    assert matches_stack(pattern, ["?", "stktable_touch_with_exp", "main"]) is True
    assert matches_stack(pattern, ["pl_wait_unlock_long", "stktable_touch_with_exp", "main"]) is True
    assert matches_stack(pattern, ["eb32_insert", "stktable_touch_with_exp", "main"]) is False


def test_hostile_stacks_and_patterns_take_bounded_time() -> None:
    """A thousand frames against a pattern full of dots: where backtracking would never end."""
    pattern = ["...", "a"] * 40 + ["b"]
    begin = time.perf_counter()
    matches_stack(pattern, ["a", "?"] * 500)
    assert time.perf_counter() - begin < 2


NAMES = ("a", "b", "?")
stacks = st.lists(st.sampled_from([*NAMES, "[a]", "[b]", "main"]), max_size=6)
patterns = st.lists(st.sampled_from(["a", "b", "a|b", "a|?", "[a]", "[b|?]", "a*", GAP]), min_size=1, max_size=5)


def oracle(pattern: list[str], stack: list[str], closed: bool) -> int:
    """The best alignment by trying them all: 2 sure, 1 possible, 0 none."""
    answers = [0]
    if not pattern:
        answers.append(0 if stack else 2)
    if not stack and not closed:
        answers.append(1)
    if pattern and (pattern[0] == GAP or pattern[0].startswith("[")):
        answers.append(oracle(pattern[1:], stack, closed))
    if stack and stack[0].startswith("["):
        answers.append(oracle(pattern, stack[1:], closed))
    if stack and pattern and pattern[0] == GAP:
        answers.append(oracle(pattern, stack[1:], closed))
    elif stack and pattern:
        answers.append(min(fit(pattern[0], stack[0].strip("[]")), oracle(pattern[1:], stack[1:], closed)))
    return max(answers)


def fit(element: str, name: str) -> int:
    """How surely one frame is what one element wants."""
    wanted = element.strip("[]").split("|")
    if name == "?":
        return 2 if "?" in wanted else 1
    return 2 if name in wanted or any(each.endswith("*") and name.startswith(each[:-1]) for each in wanted) else 0


@given(patterns, stacks)
@settings(max_examples=400)
def test_the_answer_is_that_of_trying_every_alignment(pattern: list[str], stack: list[str]) -> None:
    """The oracle knows nothing of dynamic programming."""
    closed = any(name.strip("[]") in OUTERMOST for name in stack)
    assert matches_stack(pattern, stack) is (False, None, True)[oracle(pattern, stack, closed)]


@given(st.lists(st.text(max_size=5), max_size=8))
def test_any_names_give_an_answer(stack: list[str]) -> None:
    """Damaged symbol tables put anything into a stack."""
    assert matches_stack(PATTERN, stack) in (True, False, None)
