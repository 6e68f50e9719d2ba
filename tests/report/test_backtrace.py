"""Stacks as text, as JSON and in gdb's form, from real cores."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.logs import parse
from forensics.logs.gdb import PastedBacktrace
from forensics.report.backtrace import WIDTH, render, text_lines
from forensics.report.stacks_view import StacksView
from forensics.report.terminal import print_lines
from forensics.stacks import Wanted, open_stacks
from forensics.symbols.find import Places
from samples import golden

LAB = Path(__file__).parents[2] / ".lab"
BUILT = LAB / "builds/requeue-race-2.9.6/haproxy"
CORE = LAB / "cores/requeue-race-2.9.6/core"

CORES = (
    "bug-on-2.6.12", "bug-on-3.4.7", "foreign", "healthy-2.6.12", "requeue-race-2.9.6", "segfault-2.6.12",
    "sharding-with-peers-2.9.6", "signal-from-outside-2.6.12", "truncated-2.9.6", "watchdog-loop-3.0.11",
)  # fmt: skip


@cache
def view(name: str, wanted: Wanted) -> StacksView:
    """The stacks of a sample."""
    places = Places(packs=(str(golden.SAMPLES / "symbols"),), sysroot="/nowhere")
    return open_stacks(str(golden.SAMPLES / name / "core.zst"), places, wanted)


def text(name: str, **wanted: bool | int) -> str:
    """The text form."""
    return render(view(name, Wanted(**wanted)), "text")  # type: ignore[arg-type]  # names of Wanted


def pasted(form: str) -> PastedBacktrace:
    """What our own parser of logs reads in gdb's form."""
    (found,) = parse(form.encode().splitlines(keepends=True)).backtraces
    return found


def titles(shown: str) -> list[str]:
    """The lines that begin a group."""
    return [line for line in shown.splitlines() if line.startswith("Thread")]


def test_the_crashed_thread_comes_first_and_says_how() -> None:
    assert titles(text("segfault-2.6.12")) == [
        "Thread 1 (LWP 10649): crashed (SIGSEGV at 0x118)",
        "Thread 2 (LWP 10650): idle in epoll_wait",
    ]


def test_a_thread_that_was_waiting_says_for_what() -> None:
    assert titles(text("sharding-with-peers-2.9.6"))[1] == (
        "Thread 2 (LWP 10589): waits for a lock (__pl_wait_unlock_long), when debug_handler() interrupted it"
    )


def test_equal_stacks_are_one_group_unless_all_are_wanted() -> None:
    whole = view("sharding-with-peers-2.9.6", Wanted())
    first, second = whole.stacks
    stacks = (first, *(replace(second, lwp=second.lwp + more, number=2 + more) for more in range(5)))
    assert titles(render(StacksView(whole.core, stacks), "text"))[1] == (
        "Threads 2-6 (LWP 10589-10593): waits for a lock (__pl_wait_unlock_long), when debug_handler() interrupted it"
    )
    assert len(titles(render(StacksView(whole.core, stacks, every=True), "text"))) == 6


@pytest.mark.parametrize("name", CORES)
def test_no_line_is_wider_than_the_text(name: str) -> None:
    for width in (80, 100, WIDTH):
        lines = [line.text for line in text_lines(view(name, Wanted(variables=True, registers=True)), width)]
        assert lines
        assert [line for line in lines if len(line) > width] == []
        assert [line for line in lines if line != line.rstrip()] == []


def test_the_culprit_is_marked_in_threads_that_went_wrong_only() -> None:
    shown = text("sharding-with-peers-2.9.6").splitlines()
    assert [line.split()[1] for line in shown if line.startswith(" >")] == ["[__pl_wait_unlock_long]"] * 2
    assert " >" not in text("healthy-2.6.12")


@pytest.fixture
def packaged() -> StacksView:
    """A segfault of a packaged HAProxy, which must be installed here for its code."""
    core = golden.SAMPLES / "segfault-2.6.12" / "core.zst"
    shown = open_stacks(str(core), Places(), Wanted(registers=True))
    if shown.machine is None or isinstance(shown.machine.instruction, Absence):
        pytest.skip("the haproxy 2.6.12 of Debian 12 is not installed")
    return shown


def test_the_instruction_of_a_fault_says_what_it_touched(packaged: StacksView) -> None:
    shown = render(packaged, "text")
    assert "  instruction of frame #0: movl 0xc0(%rsi), %eax   [8b 86 c0 00 00 00]\n" in shown
    assert "    reads 4 bytes at 0x118, 0xc0(%rsi): not mapped\n" in shown
    assert "    rsi  0x0000000000000058   (88)\n" in shown
    assert "    rsp  0x00007ffc19d22880  stack of thread 1\n" in shown


def test_an_instruction_without_its_code_says_what_is_missing() -> None:
    shown = text("segfault-2.6.12", registers=True)
    assert "  instruction: not known: neither the core nor a file at hand holds it\n" in shown


def test_deliberate_ends_are_told_without_being_asked() -> None:
    assert "which is how HAProxy stops itself since 2.8" in text("requeue-race-2.9.6")
    assert "which is how HAProxy stops itself up to 2.7" in text("bug-on-2.6.12")


def test_registers_are_those_of_the_interrupted_code() -> None:
    """The watchdog's handler and abort() lie above it."""
    shown = text("sharding-with-peers-2.9.6", registers=True)
    assert "  registers in frame #8\n" in shown
    assert "pl_wait_unlock_long.isra.0+50 in " in shown


def test_json_has_the_state_the_registers_and_the_instruction(packaged: StacksView) -> None:
    shown = json.loads(render(packaged, "json"))
    assert [one["state"] for one in shown["threads"]] == ["crashed (SIGSEGV at 0x118)", "idle in epoll_wait"]
    assert shown["instruction"]["text"] == "movl 0xc0(%rsi), %eax"
    assert shown["instruction"]["memory"] == [
        {
            "operand": "0xc0(%rsi)", "address": "0x118", "size": 4, "reads": True, "writes": False,
            "points_to": "not mapped", "value": None,
        }
    ]  # fmt: skip
    assert shown["registers"]["rsi"] == {"value": "0x58", "points_to": ""}


@pytest.mark.parametrize("name", [name for name in CORES if name != "healthy-2.6.12"])
def test_our_own_parser_reads_the_form_of_gdb_back(name: str) -> None:
    """Threads, frames, places and the signal are the same stack."""
    shown = view(name, Wanted(everywhere=True))
    found = pasted(render(shown, "gdb"))
    assert found.signal == (shown.core.signal.name if shown.core.signal else None)
    ours = {
        one.lwp: [(frame.function or "?", frame.file or None, frame.line or None) for frame in one.frames]
        for one in shown.stacks
    }
    theirs = {
        one.lwp: [(frame.function, frame.file, frame.line_number) for frame in one.frames] for one in found.threads
    }
    assert theirs == ours
    assert found.crashed is not None
    assert found.crashed.lwp == shown.stacks[0].lwp


@pytest.mark.skipif(not (BUILT.exists() and CORE.exists()), reason="no build of requeue-race-2.9.6 in .lab")
def test_arguments_survive_the_form_of_gdb() -> None:
    """With DWARF every frame has its arguments and locals, and our parser takes them for what they are."""
    shown = open_stacks(str(CORE), Places(str(BUILT)), Wanted(everywhere=True))
    form = render(shown, "gdb")
    found = pasted(form)
    assert found.crashed is not None
    frames = found.crashed.frames
    assert [frame.function for frame in frames] == [frame.function for frame in shown.stacks[0].frames]
    assert frames[2].args.startswith("t=t@entry=0x")
    assert [frame.inlined_guess for frame in frames[:3]] == [False, True, False]
    assert "\n        ts2 = 0x" in form
    assert "\nNo locals.\n" in form


@pytest.mark.skipif(not (BUILT.exists() and CORE.exists()), reason="no build of requeue-race-2.9.6 in .lab")
def test_locals_stand_below_their_frame() -> None:
    shown = open_stacks(str(CORE), Places(str(BUILT)), Wanted(variables=True, registers=True))
    lines = render(shown, "text").splitlines()
    place = next(index for index, line in enumerate(lines) if "stktable_requeue_exp" in line)
    assert lines[place + 1].startswith("          args:   t = 0x")
    assert lines[place + 2] == "          optimized out: old_exp, new_exp, expire, __func__"
    assert max(map(len, lines)) <= WIDTH
    plain = json.loads(render(shown, "json"))["threads"][0]["frames"][2]
    assert [one["name"] for one in plain["arguments"]] == ["t", "ts"]
    assert plain["locals"][0] == {"name": "old_exp", "value": "<optimized out>", "known": False}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What dying added is dimmed, and the words stay the same."""
    shown = partial(text_lines, view("sharding-with-peers-2.9.6", Wanted()))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal, pipe, bare = _Terminal(), io.StringIO(), _Terminal()
    print_lines(shown, WIDTH, terminal, WIDTH)
    print_lines(shown, WIDTH, pipe)
    monkeypatch.setenv("NO_COLOR", "1")
    print_lines(shown, WIDTH, bare, WIDTH)
    assert "\x1b[2m" in terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()
    assert bare.getvalue() == pipe.getvalue()


def test_the_command_line_is_scrubbed_unless_it_is_asked_for() -> None:
    whole = view("requeue-race-2.9.6", Wanted())
    process = whole.core.process
    assert process is not None
    secret = replace(process, arguments="haproxy -f x --password hunter2 203.0.113.9")
    core = replace(whole.core, process=secret)
    assert "hunter2" not in render(StacksView(core, whole.stacks), "gdb")
    assert "203.0.113.9" not in render(StacksView(core, whole.stacks), "gdb")
    assert "hunter2" in render(StacksView(core, whole.stacks, scrub=False), "gdb")
