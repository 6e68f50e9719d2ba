"""Backtraces: for reading, for programs, and in gdb's form for HAProxy's maintainers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.haproxy.occupation import BUSY
from forensics.report.document import Thread
from forensics.report.lines import Line, wrapped
from forensics.report.machine import instruction_lines, machine_to_json, register_lines
from forensics.report.render_json import Json, thread_to_json
from forensics.report.safe_text import harmless, one_line
from forensics.report.stack import stack_lines
from forensics.report.stacks_view import Group, StacksView, groups_of, occupation_of_stack

if TYPE_CHECKING:
    from forensics.unwind.variables import FrameVariables, Variable

#: Wide enough for names and paths; a terminal's own width is used where there is one.
WIDTH = 120

_INDENT = " " * 10

#: Longest value in the text: two lines.
_LONGEST = 200


def render(view: StacksView, form: str) -> str:
    """The stacks in ``form``: text, json or gdb."""
    if form == "json":
        return json.dumps(_to_json(view), indent=2) + "\n"
    if form == "gdb":
        from forensics.report.gdb_form import gdb_lines

        return "".join(f"{line}\n" for line in gdb_lines(view))
    return "".join(f"{line.text}\n" for line in text_lines(view, WIDTH))


def text_lines(view: StacksView, width: int) -> Iterator[Line]:
    """The stacks for reading: equal ones once, the most telling first."""
    for place, group in enumerate(groups_of(view)):
        if place:
            yield Line("plain", "")
        yield from _group_lines(view, group, width)


def _group_lines(view: StacksView, group: Group, width: int) -> Iterator[Line]:
    first = group.threads[0]
    many = len(group.threads) > 1
    names = f"Threads {_ranges(one.number for one in group.threads)}" if many else f"Thread {first.number}"
    lwps = _ranges(one.lwp for one in group.threads)
    yield from wrapped(f"{names} (LWP {lwps}): {group.occupation.words}", width, "heading", "", "    ")
    variables = view.variables.get(first.lwp or -1)
    below = [list(_variable_lines(one, width)) for one in variables or ()]
    yield from stack_lines(first, width, below, mark=group.occupation.rank < BUSY, brief=True)
    if view.machine is not None and view.machine.lwp == first.lwp:
        yield from instruction_lines(view.machine, width)
        yield from register_lines(view.machine, width)


def _ranges(numbers: Iterable[int | None]) -> str:
    """``1, 3-7, 9``."""
    parts: list[list[int]] = []
    for number in sorted(one for one in numbers if one is not None):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in parts)


# ---- variables ----


def _variable_lines(found: FrameVariables, width: int) -> Iterator[Line]:
    """Arguments and locals below their frame; what was optimised out by name only, as there is nothing to read."""
    if found.missing is not None:
        yield from wrapped(f"({found.missing.reason})", width, "dim", _INDENT)
        return
    for title, variables in (("args", found.arguments), ("locals", found.locals)):
        yield from _packed(title, [_assignment(one) for one in variables if _has_value(one)], width)
    lost = [one for one in found.variables if not _has_value(one)]
    for reason in dict.fromkeys(one.value for one in lost):
        names = dict.fromkeys(one_line(one.name) for one in lost if one.value == reason)
        yield from _packed(_reason(reason), list(names), width, "dim")


def _has_value(one: Variable) -> bool:
    return one.known or bool(one.entry_value)


def _packed(title: str, parts: Sequence[str], width: int, style: str = "plain") -> Iterator[Line]:
    """As many assignments a line as fit, none torn apart unless it is longer than a line."""
    first, rest = f"{_INDENT}{title + ':':<7} ", _INDENT + " " * 8
    line = first
    for place, part in enumerate(parts):
        text = one_line(part) + ("," if place < len(parts) - 1 else "")
        if len(line) + len(text) > width and line not in (first, rest):
            yield Line(style, line.rstrip())
            line = rest
        if len(line) + len(text) > width:
            *full, last = wrapped(text, width, style, line, rest + "  ")
            yield from full
            line = f"{last.text} "
        else:
            line += f"{text} "
    if parts:
        yield Line(style, line.rstrip())


def _reason(text: str) -> str:
    return text.strip("<>").removeprefix("error: ")


def _assignment(one: Variable) -> str:
    """``name = value``; the whole of a large structure is for the other forms."""
    value = one_line(one.value, _LONGEST)
    if one.entry_value and not one.known:
        return f"{one.name} = {one.entry_value} when it was called; its value now is lost"
    if one.entry_value and one.entry_value != one.value:
        return f"{one.name} = {value} (was {one.entry_value} when it was called)"
    return f"{one.name} = {value}"


# ---- json ----


def _to_json(view: StacksView) -> dict[str, Json]:
    threads: list[Json] = []
    for stack in view.stacks:
        thread = thread_to_json(Thread.of(stack, occupation_of_stack(stack, view.core).words))
        _add_variables(thread.get("frames"), view.variables.get(stack.lwp, ()))
        threads.append(thread)
    shown: dict[str, Json] = {"threads": threads}
    if view.machine is not None:
        shown |= machine_to_json(view.machine)
    return shown


def _add_variables(frames: Json, variables: Sequence[FrameVariables]) -> None:
    if not isinstance(frames, list):
        return
    for frame, found in zip(frames, variables, strict=False):
        if not isinstance(frame, dict):
            continue
        frame["arguments"] = [_variable_to_json(one) for one in found.arguments]
        frame["locals"] = [_variable_to_json(one) for one in found.locals]
        if isinstance(found.missing, Absence):
            frame["variables_missing"] = one_line(found.missing.reason)


def _variable_to_json(one: Variable) -> Json:
    shown: dict[str, Json] = {"name": one_line(one.name), "value": harmless(one.value, 4000), "known": one.known}
    if one.entry_value:
        shown["entry_value"] = harmless(one.entry_value, 4000)
    return shown
