"""The thread whose stack leads into the code of stick-tables: where the facts of tables are looked for."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.evidence.core_witness import CoreWitness
from forensics.haproxy.death.cause import culprit_frames
from forensics.haproxy.structs import TypedMemory
from forensics.names import plain_name
from forensics.record import record
from forensics.source import Source
from forensics.unwind.frame import Frame, ThreadStack

#: Functions that make stick-tables worth reading: they stand near the top of the stack of a crash in them.
_TABLE_CODE = ("stktable_", "__stktable_", "process_table", "peer_", "__task_queue")
_NEAR = 6


@record
class Scene:
    """A thread: its ``frames`` are those from the culprit on. ``space`` is the memory of the process."""

    witness: CoreWitness
    space: TypedMemory
    stack: ThreadStack
    frames: tuple[Frame, ...]

    def at(self, what: str, address: int | None = None) -> Source:
        """The source of a fact of this thread."""
        return Source(self.witness.path, what, address=address, thread=self.stack.lwp)

    @property
    def others(self) -> tuple[ThreadStack, ...]:
        """The stacks of the other threads."""
        return tuple(one for one in self.witness.stacks if one is not self.stack)


def find_scene(witness: CoreWitness, space: TypedMemory) -> Scene | None:
    """The thread that died, if it was in the code of tables; None for none.

    Under the watchdog also another one: who dies first may wait in the peers' code, whose functions are static, for
    the same lock as the next one, which has a name.
    """
    if not witness.crashed.crashed:
        return None
    stacks = witness.stacks if witness.death.kind == "watchdog" else witness.stacks[:1]
    for stack in stacks:
        frames = culprit_frames(stack)
        if _in_tables(frames):
            return Scene(witness, space, stack, frames)
    return None


def _in_tables(frames: Sequence[Frame]) -> bool:
    return any(frame.function and plain_name(frame.function).startswith(_TABLE_CODE) for frame in frames[:_NEAR])
