"""Whether somebody made it die on purpose: `debug dev` commands of the CLI (src/debug.c)."""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.haproxy.death.memory_text import iter_texts
from forensics.haproxy.death.record import Death
from forensics.haproxy.death.stuck import interrupted
from forensics.haproxy.structs import TypedMemory
from forensics.names import plain_name
from forensics.record import record
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import ThreadStack

#: Commands by the function that carries them out.
_FUNCTION = re.compile(
    r"debug_(?:parse|run)_cli_(abort|bug|check|close|deadlock|delay|hex|loop|panic|stream|task|tkill|warn|exit|exec)$"
)
#: The request as the CLI read it; what follows the command's name is left out.
_REQUEST = re.compile(
    rb"debug dev (abort|bug|check|close|deadlock|delay|hex|loop|panic|stream|task|tkill|warn|exit|exec)\b"
)
#: Functions that serve the CLI, or the applets of which it is one: what runs below them was asked for there.
_SERVING = re.compile(r"cli_io_handler$|cli_parse_request$|task_(?:run|process)_applet$")
#: What `debug dev loop` does all the time (debug_parse_cli_loop()).
_CLOCK = re.compile(r"_*(?:vdso_)?(?:gettimeofday|clock_gettime)")
_DEBUG_C = "src/debug.c"


@record
class Command:
    """``name`` is the command's third word, such as ``panic``; ``evidence`` says what tells that it was given."""

    name: str
    evidence: str


def find_command(process: Process, stack: ThreadStack, death: Death) -> Command | Absence:
    """The command behind a death.

    A function of debug.c on the stack proves it. Where it has no name (static ones of stripped executables), three
    things together do: the process counted such commands (``debug_commands_issued``), the way it died is the
    command's, and the command's text is still in a buffer.
    """
    for frame in stack.frames:
        if match := _FUNCTION.match(plain_name(frame.function)):
            return Command(match[1], "function on the stack")
    issued = issued_commands(process)
    wanted = _wanted(stack, death)
    if isinstance(issued, Absence) or not issued or not wanted:
        return Absence("debug command", "nothing shows that one was given")
    for found in iter_texts(process.core.memory, b"debug dev ", _REQUEST):
        if found.groups[0] in wanted:
            count = f"debug_commands_issued is {issued}"
            return Command(found.groups[0], f"{count}, and the command's text is in a buffer at {found.address:#x}")
    return Absence("debug command", "commands were given, and none of them ends a process so")


def _wanted(stack: ThreadStack, death: Death) -> tuple[str, ...]:
    """The commands that end a process in this way."""
    if death.kind == "signal_from_outside":
        return ("tkill",) if death.sent_by_itself else ()
    if death.kind == "watchdog" and death.stall is not None and death.stall.stuck.what == "lock":
        return ("deadlock",)
    if not any(_SERVING.match(plain_name(frame.function)) for frame in stack.frames):
        return ()
    if death.kind in ("bug_on", "abort_now"):
        return ("bug", "abort", "check", "warn") if death.file == _DEBUG_C else ()
    if death.kind != "watchdog":
        return ()
    if death.stall is None:
        return ("panic",)
    looping = any(_CLOCK.match(plain_name(frame.function)) for frame in interrupted(stack)[:3])
    return ("loop",) if looping else ()


def issued_commands(process: Process) -> int | Absence:
    """How many `debug dev` commands that change anything were given (2.2 on; unsigned int)."""
    return TypedMemory(process).number("debug_commands_issued", 4)
