"""The task of a stream or of an applet, as far as `show sess` tells of it (``struct task``, task-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.structs import Struct
from forensics.haproxy.task import read_caller
from forensics.record import record


@record
class StreamTask:
    """``expire`` is a tick; ``tid`` (since 2.7) and ``mask`` (of threads, before that) say where it may run.

    ``queued`` is whether it stands in a run queue, ``waker`` the place that woke it last (since 2.7).
    """

    address: int
    state: int
    nice: int
    calls: int
    expire: int
    tid: int | Absence
    mask: int | Absence
    queued: bool
    cpu: int | Absence
    latency: int | Absence
    waker: str


def read_task(struct: Struct) -> StreamTask:
    """The task in ``struct``."""
    return StreamTask(
        struct.address,
        number(struct, "state"),
        number(struct, "nice"),
        number(struct, "calls"),
        number(struct, "expire") & 0xFFFFFFFF,
        struct.number("tid"),
        struct.number("thread_mask"),
        bool(number(struct, "rq.node.leaf_p")),
        struct.number("cpu_time"),
        struct.number("lat_time"),
        _waker(struct),
    )


def _waker(struct: Struct) -> str:
    """``function() at file:line`` of ``caller`` (2.7, struct ha_caller); "" where it is not known."""
    caller = read_caller(struct)
    if isinstance(caller, Absence) or not caller.function or not caller.file or number(struct, "caller") & 1:
        return ""
    return f"{caller.function}() at {caller.file}:{caller.line}"
