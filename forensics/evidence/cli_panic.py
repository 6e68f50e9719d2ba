"""Whether a panic was asked for by a command: the watchdog comes by a signal, the command by a call."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.culprit import is_dying
from forensics.evidence.library import library_of
from forensics.logs import ThreadDump

#: Functions that run the commands of the CLI: stripped executables name the last ones only (2.2 to 2.8, then 2.9 on).
_CLI = frozenset(("cli_io_handler", "task_run_applet", "task_process_applet"))


def is_asked(dying: ThreadDump) -> bool:
    """Whether the thread that panicked was not stuck (the watchdog marks it so before), and the CLI called for it."""
    frames = dying.frames
    names, modules = [frame.function for frame in frames], [frame.module for frame in frames]
    return not dying.stuck and "wdt_handler" not in names and _called(names, modules)


def is_called(functions: Sequence[str], modules: Sequence[str | None]) -> bool:
    """Whether ha_panic() was called from the CLI, in a backtrace from the innermost frame on."""
    if "ha_panic" not in functions:
        return False
    below = functions.index("ha_panic") + 1
    names = functions[below:]
    while names and names[0] == "ha_panic":  # a fragment of it
        below += 1
        names = functions[below:]
    return not any(map(is_dying, names)) and _called(names, modules[below:])


def _called(functions: Sequence[str], modules: Sequence[str | None]) -> bool:
    """Whether the CLI stands on the stack, and no code of a library above it: a signal finds a loop anywhere."""
    end = next((at for at, name in enumerate(functions) if name in _CLI), None)
    above = zip(functions[:end], modules[:end], strict=True)
    return end is not None and not any(name.startswith("__vdso_") or library_of(module) for name, module in above)
