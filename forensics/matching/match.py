"""Signatures against the facts of one crash.

The clauses of ``match`` *fit* (all of ``all``, one of ``any`` if there are any, none
of ``none`` is true), *contradict* (a clause of ``all`` or every clause of ``any`` is
false, or one of ``none`` is true), or have *gaps* (the rest). A clause that is false
contradicts no more when a true ``exclude`` clause on the same fact says why: that is
the lookalike to be shown as excluded. A clause is *decisive* when it tests the stack,
the assertion or what was being run; it is *text* when it tests what was printed
besides, and a *circumstance* otherwise (how it died, the version, the configuration).

The first row that applies gives the outcome:

===  ===============================================================  =========
row  when                                                             outcome
===  ===============================================================  =========
1    the clauses contradict                                           none
2    no decisive or text clause is true                               none
3    a clause of ``exclude`` is true                                  excluded
4    ``confirm`` has clauses and all are true, whatever the version   confirmed
5    the version is known and outside ``affects``                     excluded
     (so are all releases that have the assertion at its line,
     where no input names the version)
6    they fit, a decisive clause is true, the version (or each of     probable
     those releases) is in ``affects`` (or ``affects`` is empty),
     not a draft
7    the rest: gaps, unknown version, text alone, or a draft          possible
===  ===============================================================  =========
"""

from __future__ import annotations

from collections.abc import Iterable

from forensics.absence import Absence
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import Crash, Fact
from forensics.evidence.from_history import candidate_functions
from forensics.matching.clause import evaluate, holds, missing_fact
from forensics.matching.dated import all_affected, dating
from forensics.matching.signature import GROUPS, Clause, Signature
from forensics.matching.verdict import OUTCOMES, Deciding, Undecided, Verdict
from forensics.record import record
from forensics.versions import Version

#: Facts that many crashes share: they rule a signature out, or complete it, and never suggest it.
CIRCUMSTANCES = frozenset(
    "process.version process.threads crash.kind crash.signal crash.address crash.source_file crash.source_line "
    "assertion.function assertion.releases threads.stuck peers.in_use stktable.sharded signal.sender signal.user "
    "watchdog.thread watchdog.victim watchdog.suspects memory.failed_allocations debug.commands_issued "
    "config.stick_tables config.threads config.thread_groups config.processes config.maxconn config.proxies "
    "config.peers config.remote_peers config.tables_with_peers config.tables_in_use config.lua config.master_worker "
    "config.set_dumpable config.tune config.global".split()
)

#: Ranges of releases that a sentence spells out.
_SPELT = 6

#: Facts that suggest a signature and do not suffice for more.
TEXTS = frozenset({"crash.explanation", "crash.message"})


@record
class _Weighed:
    """Every clause of a signature with what it met."""

    signature: Signature
    crash: Crash
    groups: dict[str, tuple[Deciding, ...]]
    refuting: Deciding | None
    version: Deciding | None

    @property
    def affected(self) -> bool | None:
        return self.version.held if self.version else None

    def held(self, *, decisive: bool) -> bool:
        """Whether a clause that suggests the signature is true; ``decisive`` leaves out mere text."""
        weak = CIRCUMSTANCES | TEXTS if decisive else CIRCUMSTANCES
        return any(each.held and each.clause.fact not in weak for each in self.groups["all"] + self.groups["any"])


def match(signatures: Iterable[Signature], crash: Crash) -> tuple[Verdict, ...]:
    """One verdict a signature, best first; among equals those whose version is known to be affected."""
    return tuple(sorted((judge(signature, crash) for signature in signatures), key=_rank))


def judge(signature: Signature, crash: Crash) -> Verdict:
    """The verdict of one signature on one crash."""
    weighed = _weigh(signature, crash)
    outcome, because = _outcome(weighed)
    missing = _missing(weighed, outcome)
    undecided = _undecided(weighed, outcome)
    return Verdict(signature, outcome, _decided_by(weighed), weighed.affected, missing, because, undecided)


def _rank(verdict: Verdict) -> tuple[int, bool, int, str]:
    held = sum(1 for each in verdict.decided_by if each.held)
    return OUTCOMES.index(verdict.outcome), verdict.affected is not True, -held, verdict.signature.id


def _weigh(signature: Signature, crash: Crash) -> _Weighed:
    groups = {name: tuple(evaluate(clause, crash) for clause in signature.group(name)) for name in GROUPS}
    refuting = next((each for each in groups["exclude"] if each.held), None)
    return _Weighed(signature, crash, groups, refuting, _weigh_version(signature, crash))


def _weigh_version(signature: Signature, crash: Crash) -> Deciding | None:
    """The ranges of the signature as one more clause, or None when it has no ranges."""
    if not signature.affects:
        return None
    clause = Clause("process.version", "affects", signature.affects)
    for fact in crash.all(clause.fact):
        version = Version.parse(str(fact.value))
        if not isinstance(version, Absence):
            return Deciding(clause, any(version.in_range(each) for each in signature.affects), fact)
    dated = dating(crash)
    if isinstance(dated, Absence):
        return Deciding(clause, None, missing_fact(clause.fact, crash))
    held = all_affected(_ranges(dated), signature.affects)
    return Deciding(clause, held, dated if held is not None else _some_affected(dated))


def _ranges(dated: Fact) -> tuple[str, ...]:
    return dated.value if isinstance(dated.value, tuple) else ()


def _some_affected(dated: Fact) -> Absence:
    """Why the releases that the line tells do not decide."""
    reason = f"one of {', '.join(_ranges(dated)[:_SPELT])}: some of them are affected, others not"
    return Absence("process.version", reason, KINDS["process.version"].supply)


def _fits(weighed: _Weighed) -> bool | None:
    """Whether the clauses of ``match`` fit (True), contradict (False) or have gaps (None)."""
    explained = weighed.refuting.clause.fact if weighed.refuting else ""
    every = [each.held for each in weighed.groups["all"] if each.held is not False or each.clause.fact != explained]
    every += [not each.held for each in weighed.groups["none"] if each.held]
    some = [each.held for each in weighed.groups["any"] if each.held is not False or each.clause.fact != explained]
    if some:
        every.append(True if True in some else None if None in some else False)
    return False if False in every else None if None in every else True


def _outcome(weighed: _Weighed) -> tuple[str, str]:
    """The outcome by the table above, and the reason of an exclusion."""
    fits = _fits(weighed)
    confirm = weighed.groups["confirm"]
    if fits is False or not weighed.held(decisive=False):
        return "none", ""
    if weighed.refuting:
        return "excluded", weighed.refuting.clause.because
    if confirm and all(each.held for each in confirm):
        return "confirmed", ""
    if weighed.affected is False:
        return "excluded", _not_affected(weighed)
    in_range = weighed.affected or weighed.version is None
    sure = fits and in_range and weighed.held(decisive=True) and weighed.signature.status != "draft"
    return ("probable" if sure else "possible"), ""


def _not_affected(weighed: _Weighed) -> str:
    signature, fact = weighed.signature, weighed.version.fact if weighed.version else None
    version = "" if fact is None or isinstance(fact, Absence) else f" {_told(fact)}"
    fixed = f"; fixed in {', '.join(signature.fixed_in)}" if signature.fixed_in else ""
    return f"version{version} is not among those affected ({', '.join(signature.affects)}){fixed}"


def _told(fact: Fact) -> str:
    """The version, or one of those that the line of the assertion leaves."""
    return f"(one of {', '.join(_ranges(fact)[:_SPELT])})" if isinstance(fact.value, tuple) else str(fact.value)


def _decided_by(weighed: _Weighed) -> tuple[Deciding, ...]:
    """What took part: of alternatives the true ones, of refutations those that hold, and the version."""
    groups = weighed.groups
    some = tuple(each for each in groups["any"] if each.held) or groups["any"]
    refuting = tuple(each for each in groups["none"] + groups["exclude"] if each.held)
    confirming = tuple(each for each in groups["confirm"] if each.held is not None)
    version = (weighed.version,) if weighed.version else ()
    return groups["all"] + some + refuting + confirming + version


def _missing(weighed: _Weighed, outcome: str) -> tuple[Absence, ...]:
    """The facts that would raise or refute the verdict, each once."""
    groups = weighed.groups
    if outcome in ("confirmed", "none") or weighed.refuting:
        return ()
    wanted = groups["confirm"]
    if outcome != "excluded":
        some = () if any(each.held for each in groups["any"]) else groups["any"]
        version = (weighed.version,) if weighed.version else ()
        wanted = groups["all"] + some + version + wanted + groups["exclude"] + groups["none"]
    absent: dict[str, Absence] = {}
    for each in wanted:
        if each.held is None and isinstance(each.fact, Absence):
            absent.setdefault(each.clause.fact, each.fact)
    return tuple(absent.values())


def _undecided(weighed: _Weighed, outcome: str) -> tuple[Undecided, ...]:
    """The clauses that would decide, where the signature is possible or at least its circumstances are there."""
    if outcome != "possible" and not (outcome == "none" and _conceivable(weighed)):
        return ()
    groups = weighed.groups
    some = () if any(each.held for each in groups["any"]) else groups["any"]
    version = (weighed.version,) if weighed.version else ()
    asked = (
        ("all", groups["all"]), ("any", some), ("version", version), ("exclude", groups["exclude"]),
        ("none", groups["none"]), ("confirm", groups["confirm"]),
    )  # fmt: skip
    return tuple(
        Undecided(each.clause, group, each.fact)
        for group, decided in asked
        for each in decided
        if each.held is None and isinstance(each.fact, Absence)
    )


def _conceivable(weighed: _Weighed) -> bool:
    """Whether a circumstance fits, nothing contradicts, and what would suggest the signature is not known."""
    fitting = any(each.held for each in weighed.groups["all"] + weighed.groups["any"])
    ruled_out = weighed.refuting is not None or weighed.affected is False or _asserted_elsewhere(weighed)
    return fitting and not ruled_out and _fits(weighed) is None


def _asserted_elsewhere(weighed: _Weighed) -> bool:
    """Whether no function in which the assertion may stand can be the innermost one of the wanted stack."""
    functions = candidate_functions(weighed.crash)
    stacks = [each.clause for each in weighed.groups["all"] if each.clause.test == "frames"]
    return any(all(holds(clause, (name,)) is False for name in functions) for clause in stacks if functions)
