"""Memory of a real process with pointers overwritten at random: partial answers, in bounded time, and no exception.

A core is well formed here; what it holds is not. Every command of `show` and the whole of a triage read it.
"""

from __future__ import annotations

import random
import shutil
import time
from array import array
from bisect import bisect_left
from functools import cache, partial
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.assemble import assemble
from forensics.elf.core import read_core
from forensics.evidence.collect import collect
from forensics.evidence.collectors import COLLECTORS
from forensics.evidence.core_witness import examine
from forensics.haproxy.state import State
from forensics.matching.knowledge import load_knowledge
from forensics.matching.match import match
from forensics.memory.open import open_bytes
from forensics.memory.process import Memory
from forensics.report.text import render_text
from forensics.show.answer import Question
from forensics.show.asked import answer_of
from forensics.show.output import json_text, text_lines
from forensics.show.whats import WHATS
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process, backtraces
from samples import golden
from samples.lab.builds import runnable
from samples.lab.living import living
from tests.builders.bounds import within_seconds

LAB = Path(__file__).resolve().parents[1] / ".lab"
#: Seeds of one test, and tests: a thousand seeds in all.
SEEDS, GROUPS = 125, 8
#: Seconds that all answers of one damaged memory may take together; those of a sound one take a tenth.
BOUND = 20

CONFIG = """\
global
    nbthread 4
    stats socket unix@cli level admin

defaults
    mode http
    timeout client 20s
    timeout connect 2s
    timeout server 20s

peers mates
    peer here unix@peers
    server here
    table shared type string len 32 size 10k expire 1h store http_req_cnt,http_req_rate(10s)

frontend web
    bind unix@web
    http-request track-sc0 path table mates/shared
    http-request track-sc1 path table local
    default_backend self

backend self
    server one unix@web2
    server two unix@web3

backend local
    stick-table type string len 32 size 1k expire 1h store gpc0,conn_cur
"""


class DamagedMemory(Memory):
    """A process's memory, some of its 64-bit words overwritten."""

    def __init__(self, sound: Memory, words: dict[int, int]) -> None:
        super().__init__(sound._source, sound.segments)
        self._words = words
        self._addresses = sorted(words)

    def read(self, address: int, size: int, *, alone: bool = False) -> bytes | Absence:
        """As the sound memory answers, but for the words that were overwritten."""
        data = super().read(address, size, alone=alone)
        index = bisect_left(self._addresses, address - 7)
        if isinstance(data, Absence) or index == len(self._addresses) or self._addresses[index] >= address + size:
            return data
        changed = bytearray(data)
        while index < len(self._addresses) and self._addresses[index] < address + size:
            at = self._addresses[index]
            for place, byte in enumerate(self._words[at].to_bytes(8, "little"), at - address):
                if 0 <= place < size:
                    changed[place] = byte
            index += 1
        return bytes(changed)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Places]:
    """A core of a HAProxy at work and where its symbols are: of the lab's, else a sample's."""
    if (LAB / "builds/haproxy-3.0/haproxy").is_file() and shutil.which("gdb"):
        core = tmp_path_factory.mktemp("corrupt") / "core"
        build = runnable(LAB, "haproxy-3.0")
        with living(build, CONFIG, "corrupt-memory") as haproxy:
            for number in range(200):
                haproxy.ask(f"set table mates/shared key /{number} data.http_req_cnt {number}")
            haproxy.take(core)
        return str(core), Places(executable=str(build.executable))
    return str(golden.SAMPLES / "requeue-race-2.9.6/core.zst"), Places(packs=(str(golden.SYMBOLS),))


@cache
def pointers(path: str) -> list[int]:
    """Addresses of words that look like pointers into writable memory: what a wild write would spoil."""
    memory = read_core(open_bytes(path)).memory
    writable = [one for one in memory.segments if one.writable and one.file_size]
    low, high = writable[0].address, writable[-1].end
    found = []
    for segment in writable:
        for start in range(0, min(segment.file_size, 32 << 20), 1 << 20):
            size = min(1 << 20, segment.file_size - start) & ~7
            data = memory.read(segment.address + start, size, alone=True) if size else b""
            if isinstance(data, bytes):
                words = array("Q", data)
                found += [segment.address + start + 8 * at for at, word in enumerate(words) if low <= word < high]
    return found


def overwritten(chance: random.Random, places: list[int], memory: Memory) -> dict[int, int]:
    """Some of the pointers, each with what it holds instead."""
    words = {}
    for address in chance.sample(places, min(len(places), chance.choice([1, 10, 100, 1000, 10_000]))):
        other = memory.word(chance.choice(places))
        words[address] = chance.choice(
            [
                0,
                1,
                address,
                other or 0,
                (other or 0) + 4,
                0x5050505050505050,
                chance.choice(places),
                chance.getrandbits(64),
            ]
        )
    return words


def questions() -> list[tuple[str, tuple[str, ...]]]:
    """Every command, and those that take words with some, too."""
    words = {"table": ("mates/shared",), "sess": ("all",), "tasks": ("all",), "events": ("buf0",), "counters": ("all",)}
    plain = [(what, ()) for what in WHATS if not (WHATS[what].words and not WHATS[what].words.startswith("["))]
    return plain + [(what, more) for what, more in words.items() if what in WHATS]


@pytest.mark.xdist_group("corrupt")
@pytest.mark.parametrize("group", range(GROUPS))
def test_overwritten_pointers_give_partial_answers_in_bounded_time(group: int, subject: tuple[str, Places]) -> None:
    path, places = subject
    sound = Process(read_core(open_bytes(path)), places)
    answered(State(sound), random.Random(group))
    triaged(sound)
    sound.save()  # what the files of the build say is then known: the memory is what differs
    for seed in range(group * SEEDS, (group + 1) * SEEDS):
        chance = random.Random(seed)
        core = read_core(open_bytes(path))
        words = overwritten(chance, pointers(path), core.memory)
        core.memory = DamagedMemory(core.memory, words)  # type: ignore[misc]  # a record, frozen for the checker
        started = time.monotonic()
        with within_seconds(BOUND):
            process = Process(core, places)
            stacks = backtraces(process)
            state = State(process, stacks)
            answered(state, chance)
            for address in chance.sample(sorted(words.values()), min(3, len(words))) if "address" in WHATS else ():
                answer_of(state, "address", Question((hex(address),)))
            if seed % 5 == 0:
                triaged(process)
        assert time.monotonic() - started < BOUND


def answered(state: State, chance: random.Random) -> None:
    """Every answer, as text and as JSON."""
    for what, more in questions():
        answer = answer_of(state, what, Question(more, limit=chance.choice([0, 50])))
        if not isinstance(answer, Absence):
            assert all(isinstance(line, str) for line in text_lines(answer)), what
            assert json_text(answer), what


def triaged(process: Process) -> None:
    """The whole report of the process."""
    witness = examine(process, backtraces(process))
    crash = collect([(one.__name__, partial(one, witness)) for one in COLLECTORS])
    report = assemble([], witness, crash, match(load_knowledge("", ""), crash))
    failed = [gap for gap in report.gaps if gap.reason.startswith("reading it failed")]
    assert not failed, failed
    assert render_text(report)
