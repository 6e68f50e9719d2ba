"""`show events [SINK]`: the sinks of events, and the messages of one (traces are kept in `buf0`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.ring import read_ring
from forensics.haproxy.sinks import Sink, iter_sinks
from forensics.haproxy.state import State
from forensics.haproxy.walks import Walk
from forensics.record import replace
from forensics.report.scrub import scrub_text
from forensics.show.answer import Answer, Question
from forensics.show.startup_logs import answer_of_ring

#: What traces quote of a request: its first line, blocks of HTX, headers as HTTP/2 and /3 list them (`rcvh`, `sndh`).
_REQUEST = re.compile(r"\b([A-Z]{3,20}) \S{1,10000} (HTTP/\d)")
_BLOCK = re.compile(r"(type=HTX_BLK_\w{1,40} .{0,100}?addr=\S{1,20}[ \t]+)\S[^\n]*")
_HEADER = re.compile(r"\b((?:rcvh|sndh) [^\s:]*:?[^\s:]{0,200}:\s)[^\n]*")


def answer(state: State, question: Question) -> Answer | Absence:
    """The list, or what one sink holds."""
    walk = Walk()
    found = list(iter_sinks(state.space, walk))
    sinks = [one for one in found if isinstance(one, Sink)]
    gaps = [one for one in found if isinstance(one, Absence)]
    if walk.broken is not None:
        gaps.append(Absence("sinks", f"the list is broken at {walk.broken.address:#x}: {walk.broken.reason}"))
    if gaps and not sinks:
        return gaps[0]
    if question.arguments:
        return _one(state, sinks, question)
    shown = [_scrubbed(one) if question.scrub else one for one in sinks]
    return Answer(lambda: _lines(shown), lambda: [_plain(one) for one in shown], lambda: tuple(gaps))


def _one(state: State, sinks: list[Sink], question: Question) -> Answer | Absence:
    name = question.arguments[0]
    sink = next((one for one in sinks if one.name == name), None)
    if sink is None:
        return Absence(f"sink `{name}`", f"there are: {', '.join(one.name for one in sinks)}")
    if not sink.ring:
        return Absence(f"sink `{name}`", "it keeps nothing in memory, as far as is known")
    ring = read_ring(state.space, sink.ring)
    return ring if isinstance(ring, Absence) else answer_of_ring(ring, question, scrubbed_trace)


def scrubbed_trace(message: str) -> str:
    """A message without what users sent: URLs, headers and bodies go, the line of code and the states stay."""
    message = _REQUEST.sub(r"\1 <url> \2", message)
    message = _HEADER.sub(r"\1<hidden>", _BLOCK.sub(r"\1<hidden>", message))
    return scrub_text(message)


def _scrubbed(sink: Sink) -> Sink:
    return replace(sink, description=scrub_text(sink.description))


def _lines(sinks: list[Sink]) -> Iterator[str]:
    yield "Sinks of events; the name of one behind `show events` shows what it holds."
    for one in sinks:
        known = [f"type={one.kind}"] if one.kind else []
        known += [] if isinstance(one.dropped, Absence) else [f"{one.dropped} dropped"]
        yield f"    {one.name:<10} : {', '.join((*known, one.description))}"


def _plain(sink: Sink) -> dict[str, object]:
    told = {} if isinstance(sink.dropped, Absence) else {"dropped": sink.dropped}
    return {"name": sink.name, "description": sink.description, "type": sink.kind, **told}
