"""`show threads`: what the dead process tells is what the living one told, and what it printed when it panicked."""

from __future__ import annotations

import re

import pytest

from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question
from forensics.show.threads import answer
from tests.oracles.dying import died, isolating, lived, opened

pytestmark = [pytest.mark.xdist_group("haproxy")]


def asked(state: State, *, scrub: bool = True) -> Answer:
    found = answer(state, Question(scrub=scrub))
    assert isinstance(found, Answer)
    return found


def rows(text: str) -> dict[int, str]:
    """The lines of each thread that begin its dump, by its number."""
    parts = re.split(r"^[* ][> ]Thread (\d+) *: ", text, flags=re.M)[1:]
    return {int(number): rest for number, rest in zip(parts[::2], parts[1::2], strict=True)}


def fields(row: str) -> dict[str, str]:
    """`name=value` of a thread's first two lines, and its group."""
    first, second = row.splitlines()[:2]
    found = dict(re.findall(r"(\w+)=(\S+)", f"{first} {second}"))
    return found | {"group": second.split("stuck")[0].strip()}


@pytest.mark.parametrize(
    "name", ["haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "package-3.0", "package-3.2", "package-3.4"]
)
def test_a_core_tells_of_each_thread_what_the_living_process_told(name: str) -> None:
    core, answers = lived(name, "show threads")
    live, dead = rows(answers["show threads"]), rows("\n".join(asked(opened(core, name)).lines()))
    assert list(live) == list(dead) == [1, 2]
    for number, row in live.items():
        before, after = fields(row), fields(dead[number])
        # Work comes and goes: a check may have begun in between. And the thread that answered sleeps in the core.
        # 3.3 and later count its turns, in the place where the group stands.
        turns = {"loops", "ctxsw", "group"} if "loops" in before else set()
        moving = (
            {"act", "glob", "rq", "rqsz", "tl", "tlsz"}
            | turns
            | (set() if before["harmless"] == "1" else {"wq", "harmless"})
        )
        assert list(before) == list(after)
        assert {key: value for key, value in before.items() if key not in moving} == {
            key: value for key, value in after.items() if key not in moving
        }


@pytest.mark.parametrize(
    ("name", "command"),
    [("haproxy-2.2", "debug dev panic"), ("haproxy-2.6", "debug dev panic"), ("haproxy-3.0", "debug dev panic"),
     ("haproxy-3.0", "debug dev loop 20000"), ("haproxy-3.0", "debug dev deadlock 4"),
     ("package-3.2", "debug dev panic"), ("package-3.4", "debug dev panic")],
)  # fmt: skip
def test_the_panic_text_in_memory_is_what_went_to_stderr(name: str, command: str) -> None:
    core, log = died(name, command)
    state = opened(core, name)
    shown = list(asked(state, scrub=False).lines())
    texts = [one["panic_text"] for one in asked(state, scrub=False).data()]  # type: ignore[attr-defined]
    assert all(text and text in log for text in texts)
    kept = "\n".join(line.partition("| ")[2] for line in shown if line.lstrip().startswith("| "))
    for number in (1, 2):
        assert re.search(rf"^[* ][> ]Thread {number} ", kept, re.M)


@pytest.mark.parametrize("name", ["haproxy-2.6", "haproxy-3.0", "package-3.0", "package-3.2", "package-3.4"])
def test_a_dump_of_the_core_agrees_with_the_dump_of_the_panic(name: str) -> None:
    core, log = died(name, "debug dev panic")
    printed, dead = rows(log), rows("\n".join(asked(opened(core, name)).lines()))
    for number in (1, 2):
        before, after = fields(printed[number]), fields(dead[number])
        # 2.6 marks the thread that panics as stuck itself, after it printed.
        differing = {key for key in before if before[key] != after[key]}
        assert differing <= {"stuck"}
        task = re.search(r"curr_task=(\S+)", printed[number])
        assert task
        assert f"curr_task={task[1]}" in dead[number]
        # 3.2 and newer keep the last locks of each thread, and print them.
        assert re.findall(r"lock_hist: .*", printed[number]) == re.findall(r"lock_hist: .*", dead[number])[:1]


def test_without_a_panic_each_busy_thread_has_its_stack() -> None:
    shown = "\n".join(asked(opened(isolating("haproxy-3.0"), "haproxy-3.0")).lines())
    first = rows(shown)[1]
    assert "call trace(" in first
    assert re.search(r"^ +\| 0x[0-9a-f]+ \[(?:[0-9a-f]{2} ){7}[0-9a-f]{2}\]: thread_isolate\+0x", first, re.M)


@pytest.mark.parametrize("name", ["package-3.0", "package-3.4"])
def test_a_package_tells_which_thread_is_which_and_its_stack(name: str) -> None:
    core, _log = died(name, "debug dev deadlock 4")
    data = asked(opened(core, name)).data()
    assert isinstance(data, list)
    assert [one["number"] for one in data] == [1, 2]
    assert all(one["identified_by"] and one["lwp"] for one in data)
