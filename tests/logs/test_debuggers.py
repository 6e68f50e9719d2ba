"""One crash as debuggers print it, with the settings that people have: the same stack, place and signal.

`python -m samples.lab.debuggers` made tests/logs/debuggers: HAProxy 3.0.11 with debug information, `debug dev bug`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forensics.api import gather
from samples import golden

FILES = sorted((Path(__file__).parent / "debuggers").glob("*.txt"))

#: BUG_ON() of src/debug.c is in the command's function, which gdb and eu-stack show as inlined into itself.
CULPRIT = ("debug_parse_cli_bug", "debug_parse_cli_bug")
CALLERS = (
    "cli_parse_request", "cli_io_handler", "task_process_applet", "run_tasks_from_lists", "process_runnable_tasks",
    "run_poll_loop", "run_thread_poll_loop", "start_thread",
)  # fmt: skip
#: Without debug information (`eu-stack` without `-s`) an inlined function has no frame; these settings hide the line.
BARE = ("eu-stack.txt", "eu-stack-m.txt")
NO_PLACE = (*BARE, "gdb-short.txt")


def facts(path: Path) -> dict[str, Any]:
    """The first value of each fact."""
    found: dict[str, Any] = {}
    for one in gather([str(path)], golden.options())[2].facts:
        found.setdefault(one.name, one.value)
    return found


def kind_of(path: Path) -> str:
    """The name behind release and way."""
    return path.name.removeprefix("3.0.11-bug-")


@pytest.mark.parametrize("path", FILES, ids=kind_of)
def test_the_stack_is_whole(path: Path) -> None:
    stack = tuple(name.strip("[]") for name in facts(path)["stack"])
    culprit = CULPRIT[1:] if kind_of(path) in BARE else CULPRIT
    assert stack[:-1] == (*culprit, *CALLERS)
    assert stack[-1] in ("clone3", "__clone3")


@pytest.mark.parametrize("path", FILES, ids=kind_of)
def test_inlined_functions_are_told_where_the_text_shows_them(path: Path) -> None:
    """lldb gives both frames an address and no mark; without addresses gdb gives no hint either."""
    inlined = [name for name in facts(path)["stack"] if name.startswith("[")]
    silent = (*BARE, "gdb-presence.txt", "lldb-all.txt", "lldb-bt.txt")
    assert inlined == ([] if kind_of(path) in silent else ["[debug_parse_cli_bug]"])


@pytest.mark.parametrize("path", FILES, ids=kind_of)
def test_place_signal_and_kind_are_those_of_the_crash(path: Path) -> None:
    """eu-stack prints no signal, and so no kind."""
    found = facts(path)
    by_elfutils = kind_of(path).startswith("eu-stack")
    assert found.get("crash.signal") == (None if by_elfutils else "SIGILL")
    assert found.get("crash.kind") == (None if by_elfutils else "bug_on")
    place = (found.get("crash.source_file", "").removeprefix("src/"), found.get("crash.source_line"))
    assert place == (("", None) if kind_of(path) in NO_PLACE else ("debug.c", 818))
    assert found["debug.command"] == "bug"
