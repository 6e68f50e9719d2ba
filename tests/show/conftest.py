"""Processes that lived, were asked, and of which a core was taken: once a build for all tests of `show`."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.show.answer import Answer, Question
from forensics.show.asked import answer_of, open_state
from forensics.show.output import text_lines
from forensics.symbols.places import Places
from samples.lab.builds import runnable
from samples.lab.living import Living, living, write_core

LAB = Path(__file__).resolve().parents[2] / ".lab"

#: A warning at the start, a frontend that answers by itself, and what `show` tells of a process.
CONFIG = """\
global
    nbthread 2
    maxconn 40
    node one-node
    description what it is for
    stats socket unix@cli level admin
    stats timeout 30s

defaults
    mode http
    timeout client 5s
    timeout connect 2s
    timeout server 5s

frontend web
    bind unix@web
    http-request return status 200 content-type text/plain string hello

listen plain
    mode tcp
    bind unix@plain
    http-request deny
"""
#: What the live process is asked. The last line is answered by one session, so that what it counts of itself is the
#: same for both.
LAST = "show activity;show info"
ASKED = ("show libs", "show dev", "debug counters all", "show startup-logs", "show events")
TRACES = ("trace h1 sink buf0", "trace h1 level developer", "trace h1 verbosity complete", "trace h1 start now")
REQUEST = (
    b"GET /private/place?token=very-secret HTTP/1.1\r\nhost: www.example.org\r\ncookie: session=abcdef\r\n"
    b"x-client: 192.0.2.77\r\nconnection: close\r\n\r\n"
)


@dataclass(frozen=True)
class Taken:
    """A process: what it answered, its core, and where its symbols are."""

    answers: dict[str, str]
    core: str
    executable: str

    def lines(self, what: str, *words: str, scrub: bool = True, symbols: bool = True) -> list[str]:
        """The core's answer, without the line ends; it has to be one."""
        return [line.rstrip("\n") for line in text_lines(self.answer(what, *words, scrub=scrub, symbols=symbols))]

    def answer(self, what: str, *words: str, scrub: bool = True, symbols: bool = True) -> Answer:
        """The core's answer."""
        places = Places(executable=self.executable) if symbols else Places()
        found = answer_of(open_state(self.core, places), what, Question(words, scrub=scrub))
        assert not isinstance(found, Absence), found
        return found

    def live(self, command: str) -> list[str]:
        """The live answer, without empty lines and what ends lines."""
        return [line.rstrip() for line in self.answers[command].splitlines() if line.strip()]


@pytest.fixture(scope="session")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Taken]:
    """The process of a build by the build's name; skips where it cannot be had."""
    known: dict[str, Taken] = {}

    def get(name: str) -> Taken:
        subject = runnable(LAB, name)
        if not subject.executable.is_file() or shutil.which("gdb") is None:
            pytest.skip(f"the lab has no {name}, or there is no gdb")
        if name not in known:
            known[name] = take(name, tmp_path_factory.mktemp(name))
        return known[name]

    return get


def take(name: str, folder: Path) -> Taken:
    """Start it, send requests, ask, and take a core."""
    subject = runnable(LAB, name)
    with living(subject, CONFIG, f"show-{name}") as alive:
        for line in TRACES:
            alive.ask(line)
        for _number in range(5):
            request(alive)
        answers = {command: alive.ask(command) for command in ASKED}
        answers["show events buf0"] = settled(alive, "show events buf0", "")
        answers[LAST] = settled(alive, LAST, "Jobs:", "CurrStreams:", "CurrConns:")
        core = write_core(alive.running.pid, folder / "core")
        return Taken(answers, str(core), str(subject.executable))


def settled(alive: Living, command: str, *beginnings: str) -> str:
    """The answer of a process whose earlier sessions have ended: lines that begin so are twice the same in a row."""
    before, answer = None, ""
    for _number in range(20):
        time.sleep(0.2)
        answer = alive.ask(command)
        lines = [line for line in answer.splitlines() if line.startswith(beginnings)]
        if lines == before:
            break
        before = lines
    return answer


def request(alive: Living) -> None:
    """One request to the frontend, answered to its end."""
    folder = os.open(alive.running.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(f"/proc/self/fd/{folder}/web")
            peer.sendall(REQUEST)
            while peer.recv(65536):
                pass
    finally:
        os.close(folder)
