"""The configuration that a ticket quotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.api import gather
from forensics.evidence.fact import Crash

CONFIG = """\
global
    nbthread 8
    lua-load /etc/one.lua

peers all
    peer one 127.0.0.1:1024
    peer two 127.0.0.2:1024

...

backend seen
    stick-table type ip size 1k expire 10s peers all store gpc0
"""
CRASH = (
    "```\nProgram terminated with signal SIGSEGV, Segmentation fault.\n#0  0x0000000000000042 in one_reader ()\n```\n"
)


def ticket(folder: Path, text: str) -> Crash:
    """The facts of a ticket."""
    path = folder / "ticket.md"
    path.write_bytes(text.encode())
    return gather([str(path)])[2]


def values(crash: Crash) -> dict[str, object]:
    """What the configuration tells."""
    names = ("config.threads", "config.lua", "config.stick_tables", "config.peers", "peers.in_use", "config.proxies")
    return {name: crash.all(name)[0].value for name in names if crash.all(name)}


TOLD = {
    "config.threads": 8,
    "config.lua": True,
    "config.stick_tables": 1,
    "config.peers": ("all",),
    "peers.in_use": True,
}


@pytest.mark.parametrize("fence", ["```\n", "```haproxy\n", "~~~\n", "    ```text\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_is_quoted_is_told(tmp_path: Path, fence: str, end: str) -> None:
    """The count of proxies is not, since parts may have been left out."""
    text = f"What is your configuration?\n{fence}{CONFIG}{fence[: fence.rindex(fence.strip()[0]) + 1]}\n{CRASH}"
    crash = ticket(tmp_path, text.replace("\n", end))
    assert values(crash) == TOLD
    assert {fact.trust for fact in crash.all("config.threads")} == {"derived"}


def test_an_answer_quotes_it_once_more(tmp_path: Path) -> None:
    text = "".join(f"> {line}\n" for line in f"```\n{CONFIG}```".splitlines())
    assert values(ticket(tmp_path, text + CRASH)) == TOLD


def test_the_line_is_that_of_the_ticket(tmp_path: Path) -> None:
    (fact,) = ticket(tmp_path, f"One.\nTwo.\n```\n{CONFIG}```\n{CRASH}").all("config.threads")
    assert fact.source.line == 5


def test_what_is_left_out_says_nothing(tmp_path: Path) -> None:
    """Neither that there are no peers, nor that no script is loaded."""
    crash = ticket(tmp_path, f"```\nglobal\n    nbthread 8\n...\n```\n{CRASH}")
    assert values(crash) == {"config.threads": 8}


def test_of_several_none_is_believed(tmp_path: Path) -> None:
    other = CONFIG.replace("nbthread 8", "nbthread 1")
    crash = ticket(tmp_path, f"```\n{CONFIG}```\nNow it is:\n```\n{other}```\n{CRASH}")
    assert values(crash) == {}
    assert any(gap.subject == "configuration" for gap in crash.gaps)


@pytest.mark.parametrize(
    "block",
    [
        "global warming is no section\nof anything\n",
        "listen to one song at a time\nand another\n",
        "global\n",
        f"global\n{CRASH}",
    ],
)
def test_other_words_are_no_configuration(tmp_path: Path, block: str) -> None:
    assert values(ticket(tmp_path, f"```\n{block}```\n{CRASH}")) == {}


def test_outside_of_fences_nothing_is_looked_for(tmp_path: Path) -> None:
    assert values(ticket(tmp_path, f"One.\n\n{CONFIG}\n{CRASH}")) == {}


def test_a_configuration_alone_is_no_death(tmp_path: Path) -> None:
    crash = ticket(tmp_path, f"It resets connections.\n```\n{CONFIG}```\n")
    assert not crash.died


def test_long_texts_are_logs(tmp_path: Path) -> None:
    """A megabyte is no ticket."""
    assert values(ticket(tmp_path, f"```\n{CONFIG}```\n" + "one more line\n" * 100_000 + CRASH)) == {}
