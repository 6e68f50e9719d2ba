"""What would decide between known crashes that a text leaves possible: one question a fact, the most telling first.

A question is as good as the pairs of candidates that its answer tells apart. That is read from the clauses: two that
want different things of a fact are told apart by it, one that wants something and one that does not are only if the
wish is not met. The version tells two apart in those releases in which only one of them can happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from forensics.absence import Absence
from forensics.diagnosis.finding import Answer, Question
from forensics.diagnosis.releases import branch_releases, branches
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Crash
from forensics.evidence.supplies import THE_LOG
from forensics.matching.dated import dating
from forensics.matching.signature import Clause
from forensics.matching.verdict import Undecided, Verdict
from forensics.versions import Version, VersionRange

#: Questions that are kept, candidates that one is asked for, and alternatives that one answer spells out.
_MOST, _CANDIDATES, _SPELT = 6, 8, 6
_VERSION = "process.version"
_HOW = {_VERSION: "`haproxy -v` on the host, or the name of the package"}
#: What is easier to get comes first among equals.
_EFFORT = ("haproxy -v", "haproxy.cfg", "log", "executable", "core")
#: Clauses that a wrong answer contradicts; of the others a right one only adds.
_DECIDING = ("all", "any", "version")


def questions(verdicts: Sequence[Verdict], crash: Crash) -> tuple[Question, ...]:
    """The questions, best first; none where a finding is more than possible."""
    if any(one.outcome in ("confirmed", "probable") for one in verdicts):
        return ()
    candidates = [one for one in verdicts if one.outcome == "possible"] or [
        one for one in verdicts if one.outcome == "none" and one.undecided
    ]
    candidates = candidates[:_CANDIDATES]
    facts = dict.fromkeys(each.clause.fact for one in candidates for each in one.undecided)
    releases = _possible_releases(crash, candidates) if _VERSION in facts and len(candidates) > 1 else ()
    ranked = sorted(facts, key=lambda fact: (-_telling(fact, candidates, releases), _effort(fact), fact))
    read = any(fact.source.line is not None for fact in crash.all("crash.kind"))
    return tuple(_question(fact, candidates, read) for fact in ranked[:_MOST])


def _asked(verdict: Verdict, fact: str) -> list[Undecided]:
    return [each for each in verdict.undecided if each.clause.fact == fact]


def _telling(fact: str, candidates: Sequence[Verdict], releases: Sequence[Version]) -> float:
    """How many pairs of candidates the fact tells apart; of a single candidate, how much it says of that."""
    if len(candidates) == 1:
        return max(_weight(each) for each in _asked(candidates[0], fact))
    if fact == _VERSION and releases:
        return sum(_by_version(one, other, releases) for one, other in combinations(candidates, 2))
    return sum(_apart(_asked(one, fact), _asked(other, fact)) for one, other in combinations(candidates, 2))


def _weight(asked: Undecided) -> float:
    return 1.0 if asked.group in _DECIDING else 0.5 if asked.group in ("exclude", "none") else 0.25


def _apart(one: Sequence[Undecided], other: Sequence[Undecided]) -> float:
    mine, theirs = ({(each.clause.test, each.clause.operand) for each in side} for side in (one, other))
    if mine == theirs:
        return 0.0
    strongest = max(_weight(each) for each in (*one, *other))
    return strongest if one and other else strongest / 2


def _by_version(one: Verdict, other: Verdict, releases: Sequence[Version]) -> float:
    """The share of the releases that may have run in which only one of the two can happen."""
    mine, theirs = (_ranges(each.signature.affects) for each in (one, other))
    apart = sum(_affected(version, mine) != _affected(version, theirs) for version in releases)
    return apart / len(releases)


def _ranges(texts: Iterable[str]) -> list[VersionRange]:
    return [each for each in map(VersionRange.parse, texts) if isinstance(each, VersionRange)]


def _affected(version: Version, ranges: Sequence[VersionRange]) -> bool:
    """A signature without ranges is possible in any release."""
    return not ranges or any(version in each for each in ranges)


def _possible_releases(crash: Crash, candidates: Sequence[Verdict]) -> tuple[Version, ...]:
    """Those in which a candidate can happen, and which have the assertion at its line if there is one."""
    every = [_ranges(one.signature.affects) for one in candidates]
    released = (release.version for branch in branches() for release in branch_releases(branch))
    known = [version for version in released if any(_affected(version, ranges) for ranges in every)]
    dated = dating(crash)
    if isinstance(dated, Absence) or not isinstance(dated.value, tuple):
        return tuple(known)
    there = _ranges(dated.value)
    return tuple(version for version in known if any(version in each for each in there)) or tuple(known)


def _effort(fact: str) -> int:
    supply = _supply(fact, ())
    return next((rank for rank, word in enumerate(_EFFORT) if word in supply), len(_EFFORT))


def _supply(fact: str, asked: Sequence[Undecided], read: bool = False) -> str:
    """What gives the answer: as the witness that lacks it says, else as the catalogue does.

    With ``read`` the log told of the death already: it is not asked for where something else would do.
    """
    told = next((each.fact.remedy for each in asked if each.fact.remedy), "")
    supply = _HOW.get(fact) or told or (KINDS[fact].supply if fact in KINDS else "")
    return supply.replace(f", or {THE_LOG}", "").replace(f"{THE_LOG}, or ", "") if read else supply


def _question(fact: str, candidates: Sequence[Verdict], read: bool) -> Question:
    asked = [(one, each) for one in candidates if (each := _asked(one, fact))]
    label = KINDS[fact].label if fact in KINDS else fact
    supply = _supply(fact, [each for _one, many in asked for each in many], read)
    return Question(fact, label, supply, tuple(_answer(one, many) for one, many in asked))


def _answer(verdict: Verdict, asked: Sequence[Undecided]) -> Answer:
    wanted = [expected(each.clause) for each in asked if each.group not in ("exclude", "none")]
    refuting = [expected(each.clause) for each in asked if each.group in ("exclude", "none")]
    groups = {each.group for each in asked}
    proves = groups <= {"confirm", "exclude", "none"} and "confirm" in groups
    return Answer(
        verdict.signature.id,
        "proves" if proves else "fits" if wanted else "refutes",
        " or ".join(dict.fromkeys(wanted)),
        " or ".join(dict.fromkeys(refuting)),
        bool(groups & {"all", "version"}),
    )


def expected(clause: Clause) -> str:
    """What a clause wants, in words."""
    operand = clause.operand
    values = operand if isinstance(operand, tuple) else (str(operand),)
    more = f" and {len(values) - _SPELT} more" if len(values) > _SPELT else ""
    listed = ", ".join(values[:_SPELT]) + more
    match clause.test:
        case "frames":
            return _stack(values)
        case "affects" | "within" | "in":
            return listed
        case "is_not":
            return f"not {listed}" if operand != "" else "not empty"
        case "is":
            return {True: "yes", False: "no"}[operand] if isinstance(operand, bool) else listed
        case "contains":
            return f"with {listed}"
        case "matches":
            return f"like {listed}"
        case _:
            return f"{clause.test.replace('_', ' ')} {listed}"


def _stack(pattern: Sequence[str]) -> str:
    """Frames that must be there, innermost first; of many alternatives the first ones."""
    shown = []
    for element in pattern:
        names = [name for name in element.split("|") if name != "?"]
        if element.startswith("[") or not names:
            continue
        more = "|..." if len(names) > 3 else ""
        shown.append("|".join(names[:3]) + more)
    while shown and shown[-1] == "...":
        shown.pop()
    return " <- ".join(shown)
