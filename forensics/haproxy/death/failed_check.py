"""Which assertion ended the process: what the code before the crash prints, and which one counted."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.counters import Counter, Counters
from forensics.record import record
from forensics.symbols.sentence import bug_sentence, place_of

BY_CODE = "sentence that the code before the crash prints"
BY_COUNTER = "counter of the check, in section dbg_cnt"
BY_BOTH = f"{BY_CODE}, and {BY_COUNTER}"


@record
class FailedCheck:
    """The assertion that failed.

    ``sentence`` is the line that it prints, "" where that is not certain; ``told_by`` names what told it.
    ``candidates`` are the sentences one of which it was, the likeliest first, where the compiler merged
    several. ``contradiction`` says in words how code and counters differ.
    """

    sentence: str = ""
    told_by: str = ""
    candidates: tuple[str, ...] = ()
    contradiction: str = ""


def failed_check(sentences: tuple[str, ...], counters: Counters | Absence) -> FailedCheck:
    """Decide between the ``sentences`` that the code may have printed, with the help of the counters.

    A "" among the sentences stands for assertions that are not known.
    """
    known = tuple(one for one in sentences if one)
    if isinstance(counters, Absence):
        return FailedCheck(known[0], BY_CODE) if len(sentences) == 1 and known else FailedCheck(candidates=known)
    if len(sentences) == 1 and known:
        return _checked(known[0], counters)
    counted = {one.place: one for one in counters.fatal()}
    fitting = tuple(one for one in known if place_of(one) in counted)
    if len(fitting) == 1:
        return FailedCheck(fitting[0], BY_COUNTER)
    others = tuple(one for one in known if one not in fitting)
    if known and not (set(sentences) - set(known) and not fitting):
        return FailedCheck(candidates=fitting + others)
    # The code does not tell, or not all. Only a check that is known to end the process can have done so.
    fatal = [one for one in counted.values() if one.fatal]
    if len(fatal) == 1:
        return FailedCheck(sentence_of(fatal[0]), BY_COUNTER)
    return FailedCheck(candidates=(*map(sentence_of, counted.values()), *known))


def _checked(sentence: str, counters: Counters) -> FailedCheck:
    """What the code says beyond doubt, compared with the counters."""
    place = place_of(sentence)
    if sentence.startswith("ABORT"):
        return FailedCheck(sentence, BY_CODE)
    if any(one.place == place for one in counters.hits):
        return FailedCheck(sentence, BY_BOTH)
    named = ", ".join(f"{one.file}:{one.line}" for one in counters.fatal()[:3])
    instead = f"they name {named}" if named else "they name no other"
    return FailedCheck(
        sentence, BY_CODE, contradiction=f"the counters in memory do not show that this check matched; {instead}"
    )


def sentence_of(counter: Counter) -> str:
    """The line that HAProxy prints when this check fails."""
    return bug_sentence(counter.condition, counter.file, counter.line, counter.explanation)
