"""`show activity`: a live process and its core tell the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.haproxy.activity import Counted
from tests.show.conftest import LAST, Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

#: Averages and states of the moment: they move as the thread goes on, up or down; time stolen by others is anybody's.
MOMENTARY = {"curr_rq", "cpust_ms_tot", "cpust_ms_1s", "cpust_ms_15s", "avg_cpu_pct", "avg_loop_us", "accq_ring"}
#: Lines that name the thread that answers and the date at which it did: a core has neither.
OF_THE_ANSWER = {"thread_id", "date_now", "uptime_now"}


def values(lines: list[str]) -> dict[str, list[int]]:
    """Each counter: its total, then that of each thread."""
    found = {}
    for line in lines:
        name, _colon, rest = line.partition(": ")
        if name not in OF_THE_ANSWER:
            found[name] = [int(word) for word in rest.split() if word not in "[]"]
    return found


@pytest.mark.parametrize(
    "name", ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "package-3.0", "package-3.2", "package-3.4"]
)
def test_a_live_process_and_its_core_tell_the_same(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    lines = process.live(LAST)
    lines = lines[: lines.index("Name: HAProxy")]
    answering = int(lines[0].split()[1])
    live, dead = values(lines), values(process.lines("activity"))
    if name.startswith("package") and "accq_ring" not in dead:
        live.pop("accq_ring", None)  # read from a variable that is not exported
    assert list(dead) == list(live)
    assert sum(live["accepted"]) > 10
    for key in live.keys() - MOMENTARY:
        assert len(dead[key]) == len(live[key]) == 3, key
        # The thread that answers goes on to end its session; the others sleep, but for timers.
        for before, after in zip(live[key], dead[key], strict=True):
            assert before <= after <= before + 20, key
        other = 3 - answering
        if key in ("accepted", "accq_pushed", "stream_calls", "pool_fail", "buf_wait", "fd_takeover", "conn_dead"):
            assert dead[key][other] == live[key][other], key


def test_the_uptime_is_told_where_haproxy_tells_it(taken: Callable[[str], Taken]) -> None:
    live = next(line for line in taken("haproxy-3.0").live(LAST) if line.startswith("uptime_now: "))
    dead = taken("haproxy-3.0").lines("activity")[0]
    assert dead.startswith("uptime_now: ")
    assert 0 <= float(dead.split()[1]) - float(live.split()[1]) < 1
    assert not taken("haproxy-2.6").lines("activity")[0].startswith("uptime_now")


def test_averages_are_not_summed() -> None:
    assert Counted("avg_loop_us", (3, 4), averaged=True).total == 4
    assert Counted("loops", (1 << 31, 1 << 31, 5)).total == 5  # 32 bits, as HAProxy adds them
