"""Who waits for a mux's stream to become ready: ``struct wait_event`` with its tasklet (connection-t.h, task-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number
from forensics.haproxy.structs import Struct
from forensics.record import record


@record
class Subscription:
    """``events`` that are waited for, the tasklet, how often it ran, what for and by which function."""

    address: int
    events: int
    tasklet: int
    calls: int
    context: int
    function: str


def read_subscription(struct: Struct, leads: Leads) -> Subscription | Absence:
    """The one that ``subs`` of a mux's stream leads to."""
    waiting = leads.follow(struct, "subs", "wait_event")
    if isinstance(waiting, Absence):
        return waiting
    tasklet = leads.follow(waiting, "tasklet", "tasklet")
    head = (waiting.address, number(waiting, "events"), number(waiting, "tasklet"))
    if isinstance(tasklet, Absence):
        return Subscription(*head, 0, 0, "")
    function = struct.space.function_name(number(tasklet, "process"))
    return Subscription(*head, number(tasklet, "calls"), number(tasklet, "context"), function)
