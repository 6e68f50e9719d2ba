"""`show startup-logs`: what HAProxy said while it started."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.haproxy.ring import Ring
from forensics.haproxy.sinks import read_startup_logs
from forensics.haproxy.state import State
from forensics.report.scrub import scrub_text
from forensics.show.answer import Answer, Question

_NOTHING = "# no message"


def answer(state: State, question: Question) -> Answer | Absence:
    """The messages, oldest first; one line says so where HAProxy started without a word."""
    space = state.space
    if space.word("startup_logs") == 0:
        return Answer(lambda: iter((_NOTHING,)), list)
    ring = read_startup_logs(space)
    return ring if isinstance(ring, Absence) else answer_of_ring(ring, question, scrub_text)


def answer_of_ring(ring: Ring, question: Question, scrubbed: Callable[[str], str]) -> Answer:
    """The messages of a ring as an answer; ``scrubbed`` hides in one what nobody should see."""

    def messages() -> Iterator[str]:
        return (scrubbed(one) if question.scrub else one for one in _chosen(ring, question))

    return Answer(
        lambda: _lines(messages()),
        lambda: list(messages()),
        lambda: () if ring.damage is None else (ring.damage,),
    )


def _lines(messages: Iterator[str]) -> Iterator[str]:
    message = next(messages, None)
    if message is None:
        yield _NOTHING
    while message is not None:
        yield from message.rstrip("\n").split("\n")
        message = next(messages, None)


def _chosen(ring: Ring, question: Question) -> Iterator[str]:
    """Those that were asked for."""
    for number, message in enumerate(ring.messages()):
        if question.limit and number >= question.offset + question.limit:
            return
        if number >= question.offset:
            yield message
