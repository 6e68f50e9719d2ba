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
    {"crash__kind": "watchdog"},
    {"crash__kind": "signal_from_outside"},
    {"stack": STACK[1:]},
    {"stack": (STACK[0], STACK[2])},
    {"crash__library": "libc"},
]


@pytest.mark.parametrize("changed", CHANGES)
def test_another_kind_of_death_function_or_caller_is_another_crash(changed: dict[str, FactValue]) -> None:
    """Each part counts."""
    assert fingerprint(crash(RACE, **changed)).stable != fingerprint(crash(RACE)).stable


UNTOLD: list[dict[str, FactValue]] = [
    {"crash__kind": "segfault"},
    {"crash__kind": "unknown"},
    {"crash__kind": "abort_now"},
    {"crash__condition": ""},
    {"crash__condition": "", "crash__source_file": ""},
]


@pytest.mark.parametrize("changed", UNTOLD)
def test_what_some_witnesses_cannot_tell_changes_the_exact_fingerprint_alone(changed: dict[str, FactValue]) -> None:
    """No backtrace tells the condition, eu-stack and a journal no signal."""
    one, other = fingerprint(crash(RACE)), fingerprint(crash(RACE, **changed))
    assert one.stable == other.stable and one.exact != other.exact


def test_the_function_and_its_first_caller_count() -> None:
    """Further down tail calls and inlining make other stacks for other witnesses."""
    one, other = crash(RACE, stack=STACK), crash(RACE, stack=(*STACK[:2], "stktable_get_entry"))
    assert fingerprint(one).stable == fingerprint(other).stable
    assert fingerprint(one).frames == STACK[:2]


def test_static_functions_are_no_callers() -> None:
    """A stripped executable does not name them."""
    named = crash(RACE, stack=(STACK[0], "smp_fetch_sc_tracked", *STACK[1:]))
    assert fingerprint(named).stable == fingerprint(crash(RACE)).stable


def test_the_catalogue_names_a_static_function_whose_check_failed() -> None:
    """The trace has no name for it, the releases have; a core with symbols has it as well."""
    trace = crash(RACE, stack=("?", "task_run_applet"), assertion__function="debug_parse_cli_bug")
    core = crash(RACE, stack=("debug_parse_cli_bug", "cli_io_handler", "task_run_applet"))
    assert fingerprint(trace).stable == fingerprint(core).stable


def test_only_one_function_ends_an_endless_loop() -> None:
    """2.6 does so in a fragment, which has no name in its own trace."""
    spinning: dict[str, FactValue] = {"crash.kind": "spinning"}
    trace = crash(spinning, stack=("?", "process_stream"))
    core = crash(spinning, stack=("stream_dump_and_crash", "process_stream"))
    assert fingerprint(trace).stable == fingerprint(core).stable


def test_without_function_its_check_counts() -> None:
    """A release that is newer than the catalogue."""
    one, other = (crash(RACE, stack=("?", *STACK[1:]), crash__condition=text) for text in ("a", "b"))
    assert fingerprint(one).stable != fingerprint(other).stable


def test_without_function_and_check_the_place_counts() -> None:
    """Many functions have the same caller."""
    segfault: dict[str, FactValue] = {"crash.kind": "segfault", "stack": ("?", "task_run_applet")}
    one, other = (fingerprint(crash(segfault, crash__offset=place)) for place in (16, 32))
    assert one.stable != other.stable
    assert "one build only" in one.basis


def test_the_caller_alone_groups_nothing() -> None:
    """It says which code is near, and that it says too little."""
    mark = fingerprint(crash({"crash.kind": "segfault", "stack": ("?", "task_run_applet")}))
    assert mark.stable.startswith("unknown-") and mark.frames == ("?", "task_run_applet")
    assert "too little" in mark.basis


def test_of_a_panic_the_first_and_the_last_function_above_the_scheduler_count() -> None:
    """The dump of a panic ends there, and a signal finds the thread anywhere."""
    panic: dict[str, FactValue] = {"crash.kind": "watchdog"}
    core = fingerprint(crash(panic, stack=("epoll_wait", *STACK[1:], "process_runnable_tasks", "main")))
    trace = fingerprint(crash(panic, stack=("?", *STACK[1:4])))
    assert core.stable == trace.stable
    assert core.frames == (STACK[1], STACK[3])


def test_a_script_that_hangs_is_another_crash_than_what_called_it() -> None:
    """The functions of Lua below it are static, or of a library without names."""
    panic: dict[str, FactValue] = {"crash.kind": "watchdog"}
    lua = fingerprint(crash(panic, stack=("?", "luaV_execute", "lua_resume", "hlua_ctx_resume", *STACK[1:4])))
    assert lua.frames == ("lua_resume", "process_stream")
    assert lua.stable != fingerprint(crash(panic, stack=STACK[1:4])).stable


def test_a_panic_that_a_command_asked_for_is_none_of_the_watchdog() -> None:
    """A thread of the CLI that hangs has the same functions."""
    panic: dict[str, FactValue] = {"crash.kind": "watchdog", "stack": ("cli_io_handler", "task_process_applet")}
    asked = crash(panic, debug__command="panic")
    assert fingerprint(asked).stable != fingerprint(crash(panic)).stable


APPLET: dict[str, FactValue] = {"crash.kind": "watchdog"}
STATIC = ("cli_parse_request", "cli_io_handler", "task_run_applet", "run_tasks_from_lists")


def test_of_an_applet_its_handler_counts_whoever_names_it() -> None:
    """A frame does in a core with symbols, the applet's name in a dump: 2.6 has no name for a static function."""
    core = fingerprint(crash(APPLET, stack=STATIC))
    trace = crash(APPLET, stack=("?", "?", "task_run_applet"), task__applet="<CLI>")
    dump = crash(APPLET, task__function="task_run_applet+0", task__applet="<CLI>")
    assert {fingerprint(trace).stable, fingerprint(dump).stable} == {core.stable}
    assert core.frames == ("cli_io_handler", "task_run_applet")


def test_another_applet_is_another_crash() -> None:
    """What runs them is the same."""
    one, other = (crash(APPLET, stack=("?", "task_run_applet"), task__applet=name) for name in ("<CLI>", "<PEER>"))
    assert fingerprint(one).stable != fingerprint(other).stable
    unknown = fingerprint(crash(APPLET, stack=("?", "task_run_applet"), task__applet="<NEW>"))
    assert unknown.frames == ("<NEW>", "task_run_applet")


def test_some_applet_groups_nothing() -> None:
    mark = fingerprint(crash(APPLET, stack=("?", "?", "task_run_applet")))
    assert mark.stable.startswith("unknown-") and "too little" in mark.basis


def test_a_library_counts_with_its_caller() -> None:
    """Names of libc's functions depend on its symbols."""
    segfault: dict[str, FactValue] = {"crash.kind": "segfault", "crash.library": "libc"}
    named, nameless = (crash(segfault, stack=(name, *STACK[1:])) for name in ("__strlen_avx2", "?"))
    assert fingerprint(named).stable == fingerprint(nameless).stable


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
    assert mark.basis == "the failed check, no caller" and mark.stable != fingerprint(crash(RACE)).stable
    assert fingerprint(crash(RACE)).basis == "the function that stopped and its caller"
    named = fingerprint(crash(RACE, stack="", assertion__function="__task_queue"))
    assert named.basis == "the function that stopped and the failed check, no caller"


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
