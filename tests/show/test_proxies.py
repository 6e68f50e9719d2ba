"""`show proxies`: what a live HAProxy counts in `show stat`, its core counts too."""

from __future__ import annotations

import json

import pytest

from forensics.show.answer import Question
from forensics.show.asked import answer_of
from forensics.show.output import json_text
from tests.show.held_streams import BUILDS, Taken, taken

pytestmark = [pytest.mark.xdist_group("haproxy")]


def document(one: Taken) -> dict[str, dict[str, object]]:
    """The proxies by name."""
    answer = answer_of(one.state, "proxies", Question())
    found = json.loads(json_text(answer))  # type: ignore[arg-type]
    assert found["gaps"] == []
    return {proxy["name"]: proxy for proxy in found["data"]}


@pytest.mark.parametrize("build", BUILDS)
def test_proxies_and_servers_count_as_the_live_process_does(build: str) -> None:
    one = taken(build)
    head, *rows = (line.split(",") for line in one.answers["show stat"].splitlines() if line)
    column = {name.lstrip("# "): place for place, name in enumerate(head)}
    proxies = document(one)
    compared = 0
    for row in rows:
        proxy, name, now = proxies[row[0]], row[column["svname"]], int(row[column["scur"]])
        if name == "FRONTEND":
            assert proxy["frontend_streams"] == now
        elif name == "BACKEND":
            assert (proxy["backend_streams"], proxy["queued"]) == (now, int(row[column["qcur"]]))
        else:
            server = next(each for each in proxy["servers"] if each["name"] == name)  # type: ignore[attr-defined]
            assert (server["sessions"], server["queued"]) == (now, int(row[column["qcur"]]))
            state = row[column["status"]]
            assert ("FMAINT" in server["admin"] or "CMAINT" in server["admin"]) == state.startswith("MAINT")
        compared += 1
    assert compared >= 14


def test_the_text_tells_listeners_and_servers_below_their_proxy() -> None:
    lines = taken("haproxy-3.0").ask("proxies")
    web = next(place for place, line in enumerate(lines) if line.startswith("frontend web (id=2 mode=http) ready"))
    assert lines[web + 1].startswith("  listener plain 127.0.0.1:")
    assert "  server one (id=1) unix@slow running weight=1: 1 sessions" in "\n".join(lines)
    assert any("spare" in line and "CMAINT" in line for line in lines)
    assert taken("haproxy-3.0").ask("proxies", limit=1)[0].startswith("frontend GLOBAL")
