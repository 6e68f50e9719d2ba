"""Registers and the instruction that was running, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.report.lines import Line, wrapped
from forensics.report.render_json import Json
from forensics.report.safe_text import one_line
from forensics.report.stacks_view import MachineState

if TYPE_CHECKING:
    from forensics.unwind.machine_state import MemoryTouch


def instruction_lines(machine: MachineState, width: int) -> Iterator[Line]:
    """The instruction, what it touched, and whether it was a deliberate end."""
    found = machine.instruction
    if isinstance(found, Absence):
        yield from wrapped(f"instruction: not known: {found.reason}", width, "dim", "  ")
        return
    text = f"{found.text or '(decode it with --registers)'}   [{found.code.hex(' ')}]"
    yield Line("plain", clipped_right(f"  instruction of frame #{found.frame}: {text}", width))
    for touch in found.touches:
        yield from wrapped(_touch(touch), width, "plain", "    ")
    if found.note:
        yield from wrapped(found.note, width, "plain", "    ")


def _touch(touch: MemoryTouch) -> str:
    access = touch.access
    does = "reads and writes" if access.reads and access.writes else "writes" if access.writes else "reads"
    size = f" {access.size} byte{'s' if access.size > 1 else ''}" if access.size else ""
    where = "an address that is not known" if access.address is None else f"{access.address:#x}"
    value = "" if touch.value is None else f"; it holds {touch.value:#x}"
    return f"{does}{size} at {where}, {access.operand}: {touch.note or 'mapped'}{value}"


def register_lines(machine: MachineState, width: int) -> Iterator[Line]:
    """One register a line with what it points to; plain numbers side by side."""
    if not machine.registers:
        return
    yield Line("plain", f"  registers in frame #{machine.frame}")
    for one in machine.registers:
        small = f" ({one.value})" if 9 < one.value < 1 << 16 and not one.note else ""
        yield Line("plain", clipped_right(f"    {one.name:<4} {one.value:#018x}  {one_line(one.note)}{small}", width))


def clipped_right(text: str, width: int) -> str:
    """The text cut at the width, its leading blanks kept."""
    text = text.rstrip()
    return text if len(text) <= width else f"{text[: width - 3]}..."


def machine_to_json(machine: MachineState) -> dict[str, Json]:
    """The members ``instruction`` and ``registers`` of the JSON form."""
    shown: dict[str, Json] = {"instruction": _instruction_to_json(machine)}
    if machine.registers:
        shown["registers"] = {
            one.name: {"value": f"{one.value:#x}", "points_to": one_line(one.note)} for one in machine.registers
        }
    return shown


def _instruction_to_json(machine: MachineState) -> Json:
    found = machine.instruction
    if isinstance(found, Absence):
        return {"lwp": machine.lwp, "frame": machine.frame, "missing": one_line(found.reason)}
    return {
        "lwp": machine.lwp,
        "frame": found.frame,
        "address": f"{found.address:#x}",
        "bytes": found.code.hex(),
        "text": found.text,
        "note": found.note,
        "memory": [_touch_to_json(one) for one in found.touches],
    }


def _touch_to_json(touch: MemoryTouch) -> Json:
    access = touch.access
    return {
        "operand": access.operand,
        "address": None if access.address is None else f"{access.address:#x}",
        "size": access.size,
        "reads": access.reads,
        "writes": access.writes,
        "points_to": one_line(touch.note),
        "value": None if touch.value is None else f"{touch.value:#x}",
    }
