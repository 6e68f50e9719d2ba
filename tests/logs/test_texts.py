"""Words of real HAProxys that died in every way: what is read of them is what was done to the processes.

`python -m samples.lab.texts` made tests/logs/texts, with the truth about each text: what the recipe did, which pid it
did it to, and with which code the process ended. What a text does not tell must not be said, and stands in UNTOLD.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from forensics.api import gather, triage
from forensics.evidence.fact import DEATH, Crash
from forensics.logs import LogEvidence, parse_stream
from samples import golden

TEXTS = Path(__file__).parent / "texts"
TRUTH: dict[str, dict[str, Any]] = {one["text"]: one for one in json.loads((TEXTS / "truth.json").read_text())}
NAMES = sorted(TRUTH)

#: What a text does not tell, by the part of the truth and the beginning or the whole of its name, with the reason.
UNTOLD: dict[str, dict[str, str]] = {
    "signal": {
        "3.0.11-bug.log": "no master, and the trace begins behind the instruction (3.0)",
        "3.0.11-pool-": "no master, and the trace begins behind the instruction (3.0)",
        "3.2.26-bug.log": "no master, and bytes before addresses (3.2)",
        "3.2.26-pool-": "no master, and bytes before addresses (3.2)",
        "3.4.7-bug.log": "no master, and bytes before addresses (3.2)",
        "3.4.7-pool-": "no master, and bytes before addresses (3.2)",
        "2.6.12-bug-musl.log": "no master, and no trace with musl",
        "2.6.12-backtrace-symbols.log": "libc's backtrace names no signal",
    },
    "kind": {
        "2.6.12-pool-": "an ABORT_NOW() without words, in a function without a name in this stripped package",
    },
    "command": {
        "2.6.12-bug": "static functions have no names; the condition tells it",
        "2.2.9-loop": "static functions have no names",
        "2.6.12-loop": "static functions have no names",
        "2.8.25-loop": "static functions have no names",
        "3.0.11-loop": "static functions have no names",
        "2.8.25-deadlock": "static functions have no names",
        "3.0.11-deadlock": "static functions have no names",
        "2.2.9-tkill": "the master names the signal only",
        "2.8.25-tkill": "the master names the signal only",
        "2.6.12-backtrace-symbols.log": "static functions have no names",
        "2.8.25-exit": "the master names the code only",
        "3.2.26-exit": "the master names the code only",
        "3.4.7-exit": "the master names the code only",
    },
    "function": {"2.6.12-bug": "static functions have no names, or no trace at all (musl)"},
    "stuck": {
        "2.8.25-deadlock.log": "no names of static functions, and a trace with bytes behind addresses (up to 3.1)",
        "3.0.11-deadlock.log": "no names of static functions, and a trace with bytes behind addresses (up to 3.1)",
    },
}


def is_told(name: str, part: str) -> bool:
    """Whether the text tells this part of the truth."""
    return not any(name == each or (not each.endswith(".log") and name.startswith(each)) for each in UNTOLD[part])


@cache
def parsed(name: str) -> LogEvidence:
    """What the text tells."""
    with (TEXTS / name).open("rb") as stream:
        return parse_stream(stream)


@cache
def crash(name: str) -> Crash:
    """The facts of the text."""
    return gather([str(TEXTS / name)], golden.options())[2]


def values(name: str, fact: str) -> set[Any]:
    """All values of a fact."""
    return {one.value for one in crash(name).all(fact)}


def expected(name: str, part: str) -> set[Any]:
    """The truth, as the values that a fact may have."""
    value = TRUTH[name].get(part)
    return {value} if value and is_told(name, part) else set()


@pytest.mark.parametrize("name", NAMES)
def test_as_many_processes_died_as_are_told(name: str) -> None:
    assert len(parsed(name).incidents) == TRUTH[name]["deaths"]
    # A process that ended by an exit(), or was asked to end, is no crash.
    assert crash(name).died == bool(TRUTH[name]["deaths"])


@pytest.mark.parametrize("name", NAMES)
def test_signal_is_the_one_that_ended_it(name: str) -> None:
    assert values(name, "crash.signal") == expected(name, "signal")


@pytest.mark.parametrize("name", NAMES)
def test_the_kind_of_death_is_the_one_that_was_made(name: str) -> None:
    """SIGKILL cannot come from within; any other signal alone says no kind."""
    of_signal = {"signal_from_outside"} if TRUTH[name].get("signal") == "SIGKILL" else set()
    untold = set() if is_told(name, "kind") else {"abort_now"}
    assert values(name, "crash.kind") == (expected(name, "kind") or of_signal or untold)


@pytest.mark.parametrize("name", NAMES)
def test_check_command_function_and_message_are_those_of_the_recipe(name: str) -> None:
    truth = TRUTH[name]
    assert values(name, "crash.condition") == ({truth["condition"]} if "condition" in truth else set())
    if truth["deaths"]:
        assert values(name, "debug.command") == expected(name, "command")
    if "function" in truth and is_told(name, "function"):
        (stack,) = values(name, "stack")
        assert stack[0] == truth["function"]
    if "message" in truth:
        assert any(truth["message"] in str(one) for one in values(name, "crash.message"))


@pytest.mark.parametrize("name", NAMES)
def test_only_what_was_a_command_of_the_cli_is_called_one(name: str) -> None:
    told = "condition" in TRUTH[name] or ("command" in TRUTH[name] and is_told(name, "command"))
    findings = [one.signature for one in triage([str(TEXTS / name)], golden.options()).findings]
    assert findings == (["deliberate/debug-dev"] if told and TRUTH[name]["deaths"] else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_thread_was_stuck_in_what_it_was_led_into(name: str) -> None:
    assert values(name, "watchdog.stuck_in") == expected(name, "stuck")


@pytest.mark.parametrize("name", NAMES)
def test_pid_role_code_and_release_are_those_of_the_process(name: str) -> None:
    truth, log = TRUTH[name], parsed(name)
    ours = [one for one in log.exits if one.pid == truth["pid"]]
    if "role" in truth:
        assert [one.role for one in ours] == [truth["role"]] * len(ours)
    if truth.get("role") == "current" and truth["code"] is not None:
        assert [one.code for one in ours] == [truth["code"]]
    if "role" in truth and truth["deaths"]:
        assert [one.pid for one in log.incidents] == [truth["pid"]]
        assert values(name, "process.pid") == {truth["pid"]}
    assert values(name, "process.pid") <= {truth["pid"]}
    releases = {str(one).partition("-")[0] for one in values(name, "process.version")}
    assert releases <= {truth["release"]}


@pytest.mark.parametrize("name", [name for name in NAMES if name.partition("-")[2] in ("warn.log", "check.log")])
def test_a_check_that_does_not_end_the_process_is_told_as_a_warning(name: str) -> None:
    (told,) = values(name, "warnings.checks")
    assert len(told) == 1
    assert "one > zero at src/debug.c:" in told[0]


@pytest.mark.parametrize("name", [name for name in NAMES if TRUTH[name].get("command") == "exit"])
def test_a_worker_that_called_exit_is_told(name: str) -> None:
    """It is no crash, and still what the master calls an unexpected death."""
    reasons = [gap.reason for gap in crash(name).gaps if gap.subject == DEATH]
    assert f"worker {TRUTH[name]['pid']} called exit(1), which is no crash" in "".join(reasons)


def test_every_exception_is_needed() -> None:
    """None of the beginnings of names is left over."""
    for part, names in UNTOLD.items():
        for each in names:
            assert any(name.startswith(each) for name in NAMES), (part, each)
