"""What HAProxy wrote about itself before it crashed itself, as its buffers keep it: spinning streams, damaged pools.

The text goes to stderr, which is often lost; the buffers that it was made in are in the core (``trash`` and memory of
memprintf(); src/stream.c, src/applet.c, src/pool.c).
"""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.haproxy.death.memory_text import MemoryText, find_text
from forensics.haproxy.death.record import PoolDamage
from forensics.memory.process import Memory
from forensics.unwind.backtrace import Process

_SPINNING = re.compile(rb"A bogus ([A-Z_]{2,16}) \[(0x[0-9a-f]{1,16})\] is spinning at (\d{1,10}) calls per second")
#: The report of pool_inspect_item(); from 3.0 on the head is overwritten when it knows where the damage begins.
_POOL = re.compile(
    rb"(?:FATAL: pool inconsistency detected in thread \d{1,4}: ([^\n\0]{1,80})\n"
    rb"|Contents around first corrupted address relative to pool item)[^\0]{0,3000}"
)
_CALLER = re.compile(r"  caller: (0x[0-9a-f]{1,16}) \(([^)\n]{1,200})\)")
_NAME = re.compile(
    r"  pool: 0x[0-9a-f]{1,16} \('([^'\n]{1,64})'|  tag: @0x[0-9a-f]{1,16} = 0x[0-9a-f]{1,16} \(([^,)\n]{1,64})"
)
_TAG = re.compile(r"Tag does not match \((0x[0-9a-f]{1,16})\)")
_TAGGED = re.compile(r"Resolving the tag as a pool_free\(\) location: ([^\n]{1,200})")
_RECORDED = re.compile(
    r"Recorded caller if pool '[^'\n]{1,64}':\n  @0x[0-9a-f]{1,16} \(\+\d+\) = (0x[0-9a-f]{1,16}) \(([^)\n]{1,200})\)"
)
#: What the report says when its head, with the reason, was overwritten (3.0 on).
_OVERWRITTEN = "it was written to after it had been freed"


def spinning_text(memory: Memory) -> MemoryText | Absence:
    """The announcement of what spins; ``groups``: STREAM or APPCTX, its address, calls per second."""
    return find_text(memory, b" is spinning at ", _SPINNING)


def pool_report(process: Process) -> tuple[MemoryText, PoolDamage] | Absence:
    """The report of a damaged pool (2.9-dev6 and later), and what it tells."""
    memory = process.core.memory
    found = find_text(memory, b"FATAL: pool inconsistency", _POOL)
    if isinstance(found, Absence):
        found = find_text(memory, b"Contents around first corrupted address", _POOL)
    if isinstance(found, Absence):
        return found
    caller, name = _CALLER.search(found.text), _NAME.search(found.text)
    tag, tagged, recorded = (shape.search(found.text) for shape in (_TAG, _TAGGED, _RECORDED))
    # A freed object's tag is the place that freed it (POOL_DEBUG_RESET_MARK of 2.8 and later).
    before = _function(process, tag[1], tagged[1] if tagged else "") if tag else ""
    if not before and recorded:
        before = _function(process, recorded[1], recorded[2])
    now = _function(process, caller[1], caller[2]) if caller else ""
    reason = found.groups[0].rstrip(".") if found.groups[0] else _OVERWRITTEN
    return found, PoolDamage((name[1] or name[2]) if name else "", before, now, reason)


def _function(process: Process, address: str, text: str) -> str:
    """The function that called from ``address``: as symbols tell, else as the report does; "" for neither."""
    name, _start = process.function_at(int(address, 16) - 1)
    if name:
        return name
    # main+0x.. stands for any code that has no name (tools.c, resolve_sym_name()).
    told = re.split(r"[+-]", text.strip(), maxsplit=1)[0]
    return "" if told == "main" or told.startswith(("(", "0x")) else told
