"""The functions to blame, named the same by every witness of the same crash."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.absence import Absence
from forensics.culprit import culprit_index, is_trampoline
from forensics.evidence.fact import Crash
from forensics.history.exported import is_exported
from forensics.names import UNNAMED, plain_name
from forensics.unwind.frame import Frame, ThreadStack

#: Directories of HAProxy's source tree: a build directory before them says nothing.
_ROOTS = ("src/", "include/", "addons/", "contrib/")

#: What calls tasks and pollers: the same below every crash.
SCHEDULER = ("run_tasks_from_lists", "process_runnable_tasks", "run_poll_loop", "run_thread_poll_loop", "main")

#: Functions through which HAProxy runs Lua, under these names whether liblua is linked in or not.
_LUA = ("lua_resume", "lua_pcallk", "lua_callk")

#: Runs applets since 2.9 (src/applet.c): few texts tell the version.
_RECENT = "task_process_applet"

#: What calls the handlers of applets (src/applet.c, up to 2.8 and since 2.9): nearly the same below all of them.
_APPLETS = ("task_run_applet", "task_process_applet")

#: Handlers of applets by the names that dumps have for them (`.name` and `.fct` of struct applet).
_HANDLERS = {
    "<CLI>": "cli_io_handler", "<MCLI>": "cli_io_handler", "<PEER>": "peer_io_handler",
    "<CACHE>": "http_cache_io_handler", "<STATS>": "http_stats_io_handler",
    "<SPOE>": "spoe_handle_appctx", "<LUA_TCP>": "hlua_socket_handler",
    "<HTTPCLIENT>": "httpclient_applet_io_handler", "<PROMEX>": "promex_appctx_handle_io",
    "<SINKFWD>": "sink_forward_io_handler", "<SYSLOG>": "syslog_io_handler", "<STRMDNS>": "dns_session_io_handler",
}  # fmt: skip


def culprits(crash: Crash) -> tuple[str, ...]:
    """Named functions of the crashed thread from the culprit on, inlined and unnamed ones left out."""
    stack = crash.get("stack")
    if isinstance(stack, Absence) or not isinstance(stack.value, tuple):
        return ()
    return tuple(plain_name(entry) for entry in stack.value if entry != UNNAMED and not entry.startswith("["))


def physical_entries(crash: Crash) -> tuple[str, ...]:
    """The entries of the crashed thread's stack that have a frame of their own, by plain names; `?` for none."""
    stack = crash.get("stack")
    if isinstance(stack, Absence) or not isinstance(stack.value, tuple):
        return ()
    return tuple(plain_name(entry) for entry in stack.value if not entry.startswith("["))


def callers(entries: Sequence[str]) -> tuple[str, ...]:
    """The functions above the scheduler that every witness can name, Lua's too; the scheduler's, if there is none.

    The thread dump of a panic ends above the scheduler, other stacks below it.
    """
    end = next((at for at, entry in enumerate(entries) if entry in SCHEDULER), len(entries))
    recent = _RECENT in entries[:end]
    known = (entry for entry in entries[:end] if entry in _LUA or is_exported(entry, recent))
    return tuple(known) or tuple(entries[end : end + 1])


def applet_handler(entries: Sequence[str], applet: str) -> str | None:
    """The handler of the applet that a thread ran, by its frame or by the applet's name; "" where neither is known.

    None where the thread ran none. It is static in most releases.
    """
    runner = next((at for at, entry in enumerate(entries) if entry in _APPLETS), None)
    if runner is None and not applet:
        return None
    above = entries[runner - 1] if runner else UNNAMED
    return above if above != UNNAMED else _HANDLERS.get(applet, applet)


def source_tail(path: str) -> str:
    """The path from HAProxy's own tree on: ``/build/haproxy-2.9/src/task.c`` -> ``src/task.c``."""
    starts = [path.rfind(f"/{root}") + 1 for root in _ROOTS if f"/{root}" in path]
    return path[max(starts) :] if starts else path.removeprefix("./")


def crashed_frames(stacks: tuple[ThreadStack, ...]) -> tuple[Frame, ...]:
    """Physical frames of the crashed thread from the culprit on: signal and libc heads cut off."""
    thread = next((stack for stack in stacks if stack.crashed), None)
    if thread is None:
        return ()
    frames = [frame for frame in thread.frames if not (frame.inlined or frame.tail_call)]
    handlers = [at for at, frame in enumerate(frames) if frame.status == "signal_handler"]
    frames = frames[handlers[-1] + 1 :] if handlers else frames
    frames = frames[culprit_index([_name(frame) for frame in frames], [_file(frame) for frame in frames]) :]
    # A stripped libc does not name its abort: nameless frames of libc on top are the way there.
    while frames and is_trampoline(_name(frames[0]), _file(frames[0])):
        frames = frames[1:]
    return tuple(frames)


def module_offset(frame: Frame) -> str:
    """``haproxy+0x1a2b3c``: how a frame without a name is told apart, within one build."""
    return f"{_file(frame)}+{frame.offset:#x}"


def _name(frame: Frame) -> str:
    return frame.function or UNNAMED


def _file(frame: Frame) -> str:
    return frame.module.rsplit("/", 1)[-1]
