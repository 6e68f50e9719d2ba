"""Applets at work: ``struct appctx`` (applet-t.h), the side of a stream that is code of HAProxy itself."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.freq_ctr import read_rate
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.stream_task import StreamTask, read_task
from forensics.haproxy.structs import Struct
from forensics.record import record


@record
class Appctx:
    """``applet`` is its name (``<CLI>``, ``<PEER>``...), ``st0`` to ``st2`` its states, ``rate`` its calls a second."""

    address: int
    applet: str
    st0: int
    st1: int
    st2: int | Absence
    task: StreamTask | Absence
    mask: int | Absence
    rate: int


def read_appctx(struct: Struct, moment: Moment, leads: Leads) -> Appctx:
    """The applet in ``struct``."""
    applet, task = leads.follow(struct, "applet", "applet"), leads.follow(struct, "t", "task")
    return Appctx(
        struct.address,
        "" if isinstance(applet, Absence) else text(applet, "name"),
        number(struct, "st0"),
        number(struct, "st1"),
        struct.any_number("_st2", "st2"),
        task if isinstance(task, Absence) else read_task(task),
        struct.number("thread_mask"),
        read_rate(struct.inner("call_rate"), moment) or 0,
    )
