"""`show activity`: what each thread counted, and the sum of all."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.activity import Counted, read_thread_counters
from forensics.haproxy.global_state import GlobalState
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question

_NOBODY = Absence("thread_id, date_now", "HAProxy tells those of the thread that answers, and a core has none")


def answer(state: State, _question: Question) -> Answer | Absence:
    """One line a counter: the sum, then each thread's, as HAProxy prints them."""
    process = GlobalState(state.space)
    counted = read_thread_counters(process)
    if isinstance(counted, Absence):
        return counted
    return Answer(lambda: _lines(process, counted), lambda: _plain(counted), lambda: (_NOBODY,))


def _plain(counted: tuple[Counted, ...]) -> dict[str, object]:
    return {one.name: {"total": one.total, "threads": one.values} for one in counted}


def _lines(process: GlobalState, counted: tuple[Counted, ...]) -> Iterator[str]:
    uptime = process.clock.uptime
    # 2.8 and later, whose clock counts nanoseconds, tell it here.
    if not isinstance(uptime, Absence) and process.has_variable("start_time_ns"):
        yield f"uptime_now: {uptime // 1_000_000}.{uptime % 1_000_000:06}"
    for one in counted:
        if len(one.values) == 1:
            yield f"{one.name}: {one.total}"
        else:
            yield f"{one.name}: {one.total} [ {' '.join(map(str, one.values))} ]"
