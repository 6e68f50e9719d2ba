"""`show fd`: what a live HAProxy answers, its core answers too."""

from __future__ import annotations

import json
import re

import pytest

from forensics.errors import UsageError
from forensics.show.answer import Question
from forensics.show.asked import answer_of
from forensics.show.output import json_text
from tests.show.held_streams import BUILDS, taken
from tests.show.test_sess import comparable

pytestmark = [pytest.mark.xdist_group("haproxy")]


def descriptors(lines: list[str]) -> dict[str, str]:
    """The lines by descriptor, without that of the CLI which asked.

    Updates that a poller clears do not count, nor does the state of the pipes that wake threads: they are used by
    the command itself, which stops all threads.
    """
    found = {}
    for line in comparable(lines):
        if "fe=GLOBAL" not in line or "l.st" in line:
            still = re.sub(r"\bumask=\S+", "umask=*", line)
            pipe = "poller_pipe_io_handler" in line
            found[line.split(":")[0].strip()] = re.sub(r"\bst=.*? (?=ref=|tmask=)", "st=* ", still) if pipe else still
    return found


@pytest.mark.parametrize("build", BUILDS)
def test_the_core_has_the_descriptors_that_the_live_process_has(build: str) -> None:
    one = taken(build)
    live, dead = descriptors(one.answers["show fd"].splitlines()), descriptors(one.ask("fd"))
    assert len(live) >= 20
    assert list(dead) == list(live)
    for fd, line in live.items():
        assert dead[fd] == line


def test_one_descriptor_is_asked_for_by_its_number() -> None:
    one = taken("haproxy-3.0")
    every = one.ask("fd")
    number = every[3].split(":")[0].strip()
    assert one.ask("fd", number) == [every[3]]
    assert one.ask("fd", "99999") == []
    assert one.ask("fd", limit=2, offset=1) == every[1:3]
    with pytest.raises(UsageError, match="number of a descriptor"):
        one.ask("fd", "all")


def test_json_names_the_state_and_the_owner() -> None:
    answer = answer_of(taken("haproxy-3.0").state, "fd", Question())
    document = json.loads(json_text(answer))  # type: ignore[arg-type]
    listeners = [one for one in document["data"] if one["listener"]]
    assert {one["listener"]["frontend"] for one in listeners} == {"GLOBAL", "web", "inner", "raw"}
    assert "EV_ACTIVE_R" in listeners[0]["names"]
    back = [one for one in document["data"] if one["connection"] and one["connection"]["back"]]
    assert "sv=away/tcp1" in {one["connection"]["of"] for one in back}
    assert document["gaps"] == []
