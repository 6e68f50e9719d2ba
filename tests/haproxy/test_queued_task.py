"""The task that was queued, where registers leave it open: the debug information decides."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.api import Options, open_core
from forensics.haproxy.death.cause import culprit_frames
from forensics.haproxy.queued_task import QueuedTask, find_queued_task
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.record import replace
from forensics.symbols.places import Places
from samples import golden

CORE = str(golden.SAMPLES / "requeue-race-2.9.6/core.zst")
BUILD = golden.SAMPLES.parent / ".lab/builds/requeue-race-2.9.6/haproxy"
PACKS = Places(packs=(str(golden.SYMBOLS),))
RBX, R12 = 3, 12


def other_task(space: TypedMemory) -> int:
    """A task of a frontend."""
    proxy = space.pointed("proxies_list", "proxy")
    while isinstance(proxy, Struct):
        task = proxy.number("task")
        if isinstance(task, int) and task:
            return task
        proxy = proxy.follow("next")
    raise AssertionError("no proxy has a task")


@pytest.mark.skipif(not BUILD.exists(), reason="no build of requeue-race-2.9.6 in .lab")
def test_of_two_tasks_in_registers_the_argument_is_the_one() -> None:
    process, stacks = open_core(CORE, Options(Places(executable=str(BUILD))))
    space, frames = TypedMemory(process), culprit_frames(stacks[0])
    alone = find_queued_task(space, stacks[0], frames)
    assert isinstance(alone, QueuedTask)
    # gcc says that the argument is in rbx there; a register that comes before it by number, or behind.
    for place in (R12, 6):
        registers = {**frames[0].registers, place: other_task(space)}
        both = find_queued_task(space, stacks[0], (replace(frames[0], registers=registers), *frames[1:]))
        assert isinstance(both, QueuedTask)
        assert (both.address, both.how) == (alone.address, "argument `task`")


def test_registers_that_lead_to_no_task_are_told() -> None:
    process, stacks = open_core(CORE, Options(PACKS))
    frames = tuple(replace(frame, registers={RBX: 8, R12: 0x1001}) for frame in culprit_frames(stacks[0]))
    found = find_queued_task(TypedMemory(process), stacks[0], frames)
    assert isinstance(found, Absence)
    assert "no register" in found.reason


def test_a_thread_that_queues_nothing_has_no_such_task() -> None:
    process, stacks = open_core(CORE, Options(PACKS))
    assert isinstance(find_queued_task(TypedMemory(process), stacks[1], stacks[1].frames), Absence)
