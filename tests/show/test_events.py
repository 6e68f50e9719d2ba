"""`show startup-logs` and `show events`: rings of live processes and of their cores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.absence import Absence
from forensics.show.answer import Question
from forensics.show.asked import answer_of, open_state
from forensics.show.events import scrubbed_trace
from forensics.symbols.places import Places
from tests.show.conftest import Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]

ALL = ["haproxy-2.2", "haproxy-2.6", "haproxy-2.8", "haproxy-3.0", "package-3.2", "package-3.4"]
WITH_LAYOUT = ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0"]
STRIPPED = ["haproxy-2.8", "package-3.2", "package-3.4"]
#: What the requests of these tests say that nobody needs to see.
SECRETS = ("very-secret", "private", "abcdef", "192.0.2.77", "www.example.org")


def compared(lines: list[str]) -> list[str]:
    """Lines without the tabs that answers of cores do not have."""
    return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.mark.parametrize("name", ALL)
def test_the_log_of_the_start_is_that_of_the_live_process(name: str, taken: Callable[[str], Taken]) -> None:
    """Packages, too: the shape of a ring is proven by its content."""
    process = taken(name)
    live = compared(process.live("show startup-logs"))
    assert any("'http-request' rules ignored for proxy 'plain'" in line for line in live)
    assert compared(process.lines("startup-logs")) == live


@pytest.mark.parametrize("name", WITH_LAYOUT)
def test_the_sinks_are_those_of_the_live_process(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    # The first line of the live answer explains keys of a terminal.
    assert compared(process.lines("events"))[1:] == compared(process.live("show events"))[1:]


@pytest.mark.parametrize("name", STRIPPED)
def test_without_a_layout_sinks_and_their_rings_are_told_by_their_content(
    name: str, taken: Callable[[str], Taken]
) -> None:
    process = taken(name)
    live = [line.split(" : ")[0] for line in compared(process.live("show events"))[1:]]
    dead = compared(process.lines("events"))[1:]
    assert [line.split(" : ")[0] for line in dead] == live
    assert "stdout : standard output (fd#1)" in dead
    assert "buf0 : type=buffer, in-memory ring buffer" in dead


@pytest.mark.parametrize("name", WITH_LAYOUT + STRIPPED)
def test_traces_are_those_of_the_live_process(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    live = compared(process.live("show events buf0"))
    assert len(live) > 100
    assert any("very-secret" in line for line in live)
    assert compared(process.lines("events", "buf0", scrub=False)) == live


@pytest.mark.parametrize("name", WITH_LAYOUT + STRIPPED)
def test_traces_do_not_show_what_users_sent(name: str, taken: Callable[[str], Taken]) -> None:
    lines = taken(name).lines("events", "buf0")
    assert not [line for line in lines for secret in SECRETS if secret in line]
    assert any("mux_h1.c" in line and "GET <url> HTTP/1.1" in line for line in lines)


def test_headers_that_traces_of_http2_list_are_hidden() -> None:
    shown = scrubbed_trace("[01|h2|5|mux_h2.c:1] h2c=0x1 rcvh :path: /private\nsndh set-cookie: a=b")
    assert shown.startswith("[01|h2|5|mux_h2.c:1] h2c=0x1 rcvh :path: <hidden>\nsndh set-cookie: <")
    assert "a=b" not in shown


def test_sinks_that_keep_nothing_say_so(taken: Callable[[str], Taken]) -> None:
    process = taken("haproxy-3.0")
    state = open_state(process.core, Places(executable=process.executable))
    for name, words in (("stdout", "keeps nothing in memory"), ("nowhere", "there are: stdout, stderr, buf0")):
        found = answer_of(state, "events", Question((name,)))
        assert isinstance(found, Absence)
        assert words in found.reason
