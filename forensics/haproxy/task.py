"""``struct task`` and ``struct tasklet`` (task-t.h): what is to run, in which state, and who woke it last."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory, known, known_text
from forensics.haproxy.threads import names_of
from forensics.record import record

#: TASK_* (task-t.h, 2.2 to 3.5-dev). 0x2 and 0x8 are of 2.6 and before; 3.5-dev uses 0x8 anew.
STATES = {
    0x1: "RUNNING", 0x2: "GLOBAL", 0x4: "QUEUED", 0x8: "SHARED_WQ", 0x10: "SELF_WAKING", 0x20: "KILLED",
    0x40: "IN_LIST", 0x80: "HEAVY", 0x100: "WOKEN_INIT", 0x200: "WOKEN_TIMER", 0x400: "WOKEN_IO",
    0x800: "WOKEN_SIGNAL", 0x1000: "WOKEN_MSG", 0x2000: "WOKEN_RES", 0x4000: "WOKEN_OTHER", 0x8000: "F_TASKLET",
    0x10000: "F_USR1", 0x20000: "F_UEVT1", 0x40000: "F_UEVT2", 0x80000: "F_WANTS_TIME", 0x100000: "F_UEVT3",
    0x200000: "WOKEN_WQ",
}  # fmt: skip
#: Since 2.7 (the layout with `caller`) these two have no meaning of their own; 3.5-dev: a task of its own class.
_RENAMED = {0x2: "0x2", 0x8: "RT"}
TASKLET = 0x8000
#: Priority that marked tasklets before 2.4.
_TASKLET_NICE = -32768
#: ha_caller.what (WAKEUP_TYPE_*, task-t.h since 2.7).
_CALLS = (
    "", "task_wakeup", "task_instant_wakeup", "tasklet_wakeup", "tasklet_wakeup_after", "task_schedule", "task_queue",
    "appctx_wakeup",
)  # fmt: skip
#: Functions that run applets: their context is an appctx.
_APPLET = frozenset(("task_run_applet", "task_process_applet"))


@record
class Caller:
    """Who woke a task last: the place of the call and what was called."""

    function: str
    file: str
    line: int
    call: str

    @property
    def place(self) -> str:
        """``stktable_requeue_exp (src/stick_table.c:700)``."""
        return f"{self.function} ({self.file}:{self.line})"

    @property
    def words(self) -> str:
        """``task_wakeup() by stktable_requeue_exp() at src/stick_table.c:700``."""
        return f"{self.call or 'woken'}{'()' if self.call else ''} by {self.function}() at {self.file}:{self.line}"


@record
class Task:
    """One task or tasklet; ``address`` and ``context`` are pointers.

    ``freed`` is set where its caller says so: -1, or a set low bit, is left there by what frees it (2.7 on).
    ``expire`` and ``key`` are ticks in milliseconds (0: never); ``key`` is the date that the wait queue sorts
    by, ``waiting`` whether it hangs there. ``tid`` is the thread it may run on, -1 for any (2.7 on).
    """

    address: int
    tasklet: bool
    state: int
    state_names: tuple[str, ...]
    process: int
    function: str
    context: int
    calls: int
    expire: int | Absence
    waiting: bool | Absence
    key: int | Absence
    tid: int | Absence
    nice: int | Absence
    wake_date: int | Absence
    caller: Caller | Absence
    freed: bool
    applet: str = ""

    @property
    def kind(self) -> str:
        """``task`` or ``tasklet``."""
        return "tasklet" if self.tasklet else "task"


def read_task(space: TypedMemory, address: int) -> Task | Absence:
    """The task or tasklet at ``address``."""
    found = space.at("task", address)
    if isinstance(found, Absence):
        # A tasklet is shorter, and may be the last object of what the core holds.
        found = space.at("tasklet", address)
    if isinstance(found, Absence):
        return found
    state, process = found.number("state"), found.number("process")
    if isinstance(state, Absence):
        return state
    if isinstance(process, Absence):
        return process
    tasklet = _is_tasklet(found, state)
    caller = read_caller(found)
    context = known(found.number("context"))
    absent = Absence(f"timer of {address:#x}", "a tasklet has none")
    function = space.function_name(process) if process and space.is_code(process) else ""
    return Task(
        address, tasklet, state, _state_names(found, state), process, function, context, known(found.number("calls")),
        absent if tasklet else found.number("expire"), absent if tasklet else _linked(found, "wq"),
        absent if tasklet else found.number("wq.key"), found.number("tid"), absent if tasklet else found.number("nice"),
        found.any_number("wake_date", "call_date"), caller, _freed(found),
        _applet(space, function, context),
    )  # fmt: skip


def _is_tasklet(found: Struct, state: int) -> bool:
    """TASK_F_TASKLET since 2.4; before that a nice of -32768, which stood in the common part."""
    nice = found.field("nice")
    if not isinstance(nice, Absence) and nice.offset < 4:
        return found.number("nice") == _TASKLET_NICE
    return bool(state & TASKLET)


def _state_names(found: Struct, state: int) -> tuple[str, ...]:
    return names_of(state, STATES | _RENAMED if found.has("caller") else STATES)


def _linked(found: Struct, member: str) -> bool | Absence:
    """Whether the node hangs in a tree: its leaf has a parent (ebtree.h)."""
    parent = found.number(f"{member}.node.leaf_p")
    return parent if isinstance(parent, Absence) else bool(parent)


def _freed(found: Struct) -> bool:
    """Whether ``caller`` is -1, or has its low bit set."""
    caller = found.number("caller")
    return isinstance(caller, int) and bool(caller & 1)


def read_caller(found: Struct) -> Caller | Absence:
    """Who woke it last, or freed it: through ``caller`` (2.7 on), else the place that builds with DEBUG_TASK keep."""
    pointer = found.number("caller")
    if isinstance(pointer, Absence):
        return pointer
    if not pointer:
        return Absence("caller", "nobody woke it yet")
    # An odd pointer is that of a freed task: -1 says nothing more, any other its last caller.
    place = found.space.at("ha_caller", pointer & ~1)
    if isinstance(place, Absence):
        return place
    function, file = place.text("func", 100), place.text("file", 200)
    line, what = place.number("line"), place.number("what")
    if isinstance(function, Absence) or isinstance(file, Absence) or isinstance(line, Absence):
        return Absence("caller", "what it points to is no place of the code")
    return Caller(function, file, line, _CALLS[what] if isinstance(what, int) and what < len(_CALLS) else "")


def _applet(space: TypedMemory, function: str, context: int) -> str:
    """The name of the applet that the task runs."""
    if function not in _APPLET or not context:
        return ""
    appctx = space.at("appctx", context)
    applet = appctx.follow("applet", "applet") if isinstance(appctx, Struct) else appctx
    return known_text(applet.text("name", 100)) if isinstance(applet, Struct) else ""
