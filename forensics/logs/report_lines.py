"""Lines that belong to a report which another line announces: a damaged pool, an endless loop, AddressSanitizer.

They mean something only there, so they are looked for only a few lines behind such an announcement.
"""

from __future__ import annotations

import re

from forensics.logs.line import NOWHERE, Origin

#: Lines that a report goes on for at the most: the dump of a stream, the bytes around a damaged object.
REPORT_LINES = 80
#: Lines of the log that they take up where others write at the same time.
REPORT_FAR = 50 * REPORT_LINES


def belongs(announced: Origin, line: Origin) -> bool:
    """Whether a line can be of the report that another one announces; others may write meanwhile, as tags tell."""
    within = line.line - announced.line
    known = announced.source == line.source != NOWHERE.source
    return 0 <= within <= (REPORT_FAR if known else REPORT_LINES)


_ADDRESS = r"0x[0-9a-f]{1,16}"
_NAME = r"[^\s(){}]{1,256}"

#: What a line tells, a plain substring that it holds, and its shape, by the announcement that it belongs to.
DETAILS: dict[str, tuple[tuple[str, str, re.Pattern[str]], ...]] = {
    announced: tuple((what, guard, re.compile(pattern)) for what, guard, pattern in shapes)
    for announced, shapes in {
        # pool_inspect_item() of src/pool.c (2.9-dev6); its first lines are lost in some reports of 3.0 on.
        "pool": (
            ("pool caller", "caller: 0x", rf"^\s*caller: {_ADDRESS} \((\S{{1,512}})\)"),
            ("pool item", "item: 0x", rf"^\s*item: ({_ADDRESS})"),
            ("pool name", "pool: 0x", rf"^\s*pool: {_ADDRESS} \('([^']{{1,64}})'"),
            ("pool place", "Contents around address", rf"Contents around address ({_ADDRESS}\+\d{{1,10}})={_ADDRESS}"),
            ("pool free", "pool_free() location", r"Resolving the tag as a pool_free\(\) location: (\S{1,512})"),
            ("pool tagged", "tag: @0x", rf"^\s*tag: @{_ADDRESS} = {_ADDRESS} \(([^\s(),]{{1,64}})"),
            ("pool tagged", "[pool:", r"\[pool:([^\]\s]{1,64})\]"),
            ("pool recorded", "@0x", rf"^\s*@{_ADDRESS} \(\+\d{{1,10}}\) = {_ADDRESS} \((\S{{1,512}})\)"),
        ),
        # stream_dump() up to 2.8, strm_dump_to_buffer() since 2.9 (src/stream.c).
        "spinning": (
            ("stream frontend", " fe=", rf" fe=({_NAME})"),
            ("stream frontend", "frontend=", rf"\bfrontend=({_NAME}) \("),
            ("stream backend", " be=", rf" be=({_NAME})"),
            ("stream backend", "backend=", rf"\bbackend=({_NAME}) \("),
            ("stream request", " rqa=", r" rqa=([0-9a-f]{1,8})\b"),
            ("stream request", "req=0x", rf"\breq={_ADDRESS} \(f=0x[0-9a-f]{{1,8}} an=0x([0-9a-f]{{1,8}})\b"),
            ("stream response", " rpa=", r" rpa=([0-9a-f]{1,8})\b"),
            ("stream response", "res=0x", rf"\bres={_ADDRESS} \(f=0x[0-9a-f]{{1,8}} an=0x([0-9a-f]{{1,8}})\b"),
            ("stream applet", " handler=0x", rf" handler={_ADDRESS}\(([^\s()]{{1,512}})\)"),
        ),
        "asan": (
            ("asan address", "address 0x", rf"AddressSanitizer: .{{1,100}}\baddress ({_ADDRESS})"),
            ("asan access", "of size ", r"^\s*((?:READ|WRITE) of size \d{1,20})\b"),
            ("asan access", "is caused by a ", r"\bis caused by a (READ|WRITE) memory access"),
            ("asan freed", "freed by thread ", r"^\s*(freed by thread .{1,200})"),
            ("asan allocated", "llocated by thread ", r"^\s*((?:previously )?allocated by thread .{1,200})"),
            ("asan place", " is located ", rf"^\s*({_ADDRESS} is located .{{1,200}})"),
        ),
    }.items()
}  # fmt: skip
