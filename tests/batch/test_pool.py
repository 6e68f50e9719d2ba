"""Workers: limits, deaths, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forensics.batch.pool import AHEAD, run
from forensics.batch.process import WorkerProcess
from forensics.batch.result import ScanResult, Work
from forensics.errors import ForensicsError
from tests.batch.hostile import ANALYSE, children, runs, until

CHECKOUT = Path(__file__).resolve().parents[2]
FINE = [f"fine-{number}" for number in range(6)]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test of this module ends with the children it began with."""
    before = children()
    yield
    assert children() <= before


def outcome(*paths: str, timeout: float = 20.0, memory: int = 1024, jobs: int = 2) -> dict[str, ScanResult]:
    work = Work(ANALYSE, {"colour": "blue"}, timeout, memory)
    return {result.path: result for result in run(work, list(paths), jobs)}


def test_every_input_has_one_result_and_the_options_reach_the_worker() -> None:
    results = list(run(Work(ANALYSE, {"colour": "blue"}), FINE, 2))
    assert sorted(each.path for each in results) == FINE
    assert all(each.analysed and each.report and each.report["options"] == {"colour": "blue"} for each in results)


def test_workers_stay_alive_over_many_inputs() -> None:
    results = outcome(*(f"slow-{number}" for number in range(4)), *FINE)
    assert 1 <= len({each.report["pid"] for each in results.values() if each.report}) <= 2


def test_no_more_workers_are_started_than_there_are_inputs() -> None:
    results = run(Work(ANALYSE, {}), ["slow"], 50)
    before = children()
    next(results)
    assert len(children() - before) <= 1
    results.close()


def test_results_come_in_the_order_of_completion() -> None:
    assert next(run(Work(ANALYSE, {}), ["hang", "fine"], 2)).path == "fine"


@pytest.mark.parametrize("name", ["hang", "hang-in-c"])
def test_an_input_that_hangs_is_ended_in_time_and_the_others_go_on(name: str) -> None:
    begin = time.monotonic()
    results = outcome(name, *FINE, timeout=1.0)
    assert time.monotonic() - begin < 15
    assert results[name].status == "timeout"
    assert results[name].error == "not done after 1 seconds"
    assert results[name].seconds >= 1.0
    assert all(results[each].analysed for each in FINE)


def test_starting_a_worker_does_not_count_as_time_of_the_input() -> None:
    (result,) = run(Work("tests.batch.slow_start:analyse", {}, timeout=0.8), ["fine"], 1)
    assert result.analysed


DEATHS = {
    "kill": "the worker was killed by SIGKILL",
    "segfault": "the worker was killed by SIGSEGV",
    "exit": "the worker failed: exit status 7",
    "bug": "the worker failed: KeyError: 'lwp'",
    "mute": "its worker broke off",
    "hog": "it takes more than 512 MiB of memory",
}


@pytest.fixture(scope="module")
def deaths() -> dict[str, ScanResult]:
    return outcome(*DEATHS, *FINE, memory=512)


@pytest.mark.parametrize("name", DEATHS)
def test_an_input_that_ends_its_worker_is_reported(deaths: dict[str, ScanResult], name: str) -> None:
    assert (deaths[name].status, deaths[name].error) == ("died", DEATHS[name])
    assert deaths[name].hint


def test_an_input_that_ends_its_worker_does_not_keep_the_others(deaths: dict[str, ScanResult]) -> None:
    assert all(deaths[each].analysed for each in FINE)


def test_every_worker_may_die_and_still_every_input_has_its_result() -> None:
    results = [each.status for each in run(Work(ANALYSE, {}), ["kill"] * 4 + ["fine"], 2)]
    assert sorted(results) == ["analysed", *["died"] * 4]


def test_an_input_that_cannot_be_analysed_says_why_and_costs_no_worker() -> None:
    results = outcome("empty", "unreadable", "fine", jobs=1)
    assert (results["empty"].status, results["empty"].error, results["empty"].hint) == (
        "failed", "`empty` is empty", "look at the disk",
    )  # fmt: skip
    assert "Permission denied" in results["unreadable"].error


def test_what_a_worker_prints_is_no_answer() -> None:
    assert outcome("chatter")["chatter"].analysed


def test_errors_that_no_input_is_to_blame_for_end_the_scan() -> None:
    with pytest.raises(ForensicsError, match=r"a/b\.toml"):
        list(run(Work(ANALYSE, {}), ["broken-signatures", *FINE], 2))


def test_a_scan_whose_workers_cannot_start_says_so() -> None:
    with pytest.raises(ForensicsError, match=r"no worker process can be started: .*nowhere"):
        list(run(Work("nowhere.at_all:analyse", {}), FINE, 2))


def test_a_consumer_that_stops_early_leaves_no_process() -> None:
    results = run(Work(ANALYSE, {}), ["fine", *["hang"] * 10], 3)
    next(results)
    crew = children()
    assert crew
    results.close()
    assert not any(map(runs, crew))


def test_an_exception_of_the_inputs_leaves_no_process() -> None:
    def breaking() -> Iterator[str]:
        yield "hang"
        time.sleep(0.5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run(Work(ANALYSE, {}), breaking(), 2))
    assert not children()


def test_no_process_is_started_before_the_first_result_is_asked_for() -> None:
    before = children()
    run(Work(ANALYSE, {}), FINE, 2)
    assert children() == before


def test_a_worker_that_dies_while_it_has_nothing_to_do_takes_no_input_with_it() -> None:
    results = run(Work(ANALYSE, {}), FINE, 1)
    first = next(results)
    (pid,) = children()
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not runs(pid))
    assert [each.status for each in (first, *results)] == ["analysed"] * len(FINE)


def test_of_thousands_of_quick_inputs_none_is_lost() -> None:
    results = run(Work(ANALYSE, {}), (f"fine-{number}" for number in range(5000)), 4)
    assert [each.error for each in results if not each.analysed] == []


def test_inputs_are_found_a_bounded_way_ahead() -> None:
    found = 0

    def endless() -> Iterator[str]:
        nonlocal found
        while True:
            found += 1
            yield f"slow-{found}"

    results = run(Work(ANALYSE, {}), endless(), 1)
    next(results), next(results)
    assert found <= AHEAD + 3
    results.close()


def test_results_among_the_inputs_are_passed_on() -> None:
    refused = ScanResult("dir", "failed", None, "cannot look into `dir`")
    assert set(run(Work(ANALYSE, {}), [refused], 2)) == {refused}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("name", ["hang-in-c", "fine"])
def test_workers_end_when_their_parent_is_killed(name: str, number: signal.Signals) -> None:
    program = (
        "import sys, time\n"
        "from forensics.batch.pool import run\n"
        "from forensics.batch.result import Work\n"
        f"results = run(Work({ANALYSE!r}, {{}}), ['fine', {name!r}, {name!r}], 2)\n"
        "print(next(results).path, flush=True)\n"
        "print(sum(1 for _ in results), flush=True) if 'hang' in sys.argv[1] else time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, name], cwd=CHECKOUT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"fine\n"
        crew = children(parent.pid)
        assert crew
        time.sleep(0.2)
        parent.send_signal(number)
    assert until(lambda: not any(map(runs, crew)), 5)


def test_a_name_that_is_no_text_survives_the_way_to_the_worker_and_back() -> None:
    path = os.fsdecode(b"odd-\xff\n\x1b[31m")
    assert outcome(path)[path].analysed


def test_a_worker_that_was_given_something_can_be_ended_twice() -> None:
    one = WorkerProcess(Work(ANALYSE, {}))
    one.end()
    one.end()
    assert not runs(one.pid)
