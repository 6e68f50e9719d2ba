"""What to do now: ordered, concrete, one line each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.diagnosis.crashed_stack import crashed_frames
from forensics.diagnosis.finding import CandidateFix, Finding, Question
from forensics.diagnosis.releases import Upgrade, behind, known_until, latest_of_branch, upgrade_to
from forensics.elf.core import NO_THREADS
from forensics.evidence.catalogue import KINDS
from forensics.evidence.fact import OTHERS, REFUSED, Crash
from forensics.unwind.frame import ThreadStack
from forensics.versions import Version

#: Steps that only gather more are cut here: nobody does the ninth.
_MOST = 8

#: Questions that are steps: what would decide after these is among the details.
_QUESTIONS = 3

#: Where a step stops to be something to do and becomes something to read.
_STEP_LENGTH = 240

#: Facts by which a crash can be told from others, and reported.
_TELLING = ("stack", "crash.condition", "crash.message", "pool.damage", "debug.command")

#: A revision of a distribution behind the release: 2.6.12-1+deb12u4, 2.8.5-1ubuntu3.2, 2.4.22-3.el9.
_PACKAGED = re.compile(r"-\d+(?:\.\d+)*(?:\+deb|~bpo|ubuntu|\.el\d|\.fc\d|$)")

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")

_REPORT = "No known crash matches: report it with this document at https://github.com/haproxy/haproxy/issues"
_THIN = (
    "Too little is known to tell one crash from another: look for the core (`coredumpctl list haproxy`), for what the "
    "worker wrote (`journalctl -u haproxy`) and for the kernel's line (`journalctl -k -g haproxy`)"
)
_THIN_DUMP = "Too little is known to tell one crash from another: look for the core (`coredumpctl list haproxy`)"
_VERSION = "Find out which version ran (`haproxy -v`, or the package's): later fixes can only then be looked up"
#: What gaps name to find it out (evidence/from_history.py): a step of its own does, where it is not known.
_RAN = "the version that ran (`haproxy -v`)"
_NOTHING = (
    "Nothing died in these inputs: look for the core of the process that did (`coredumpctl list haproxy`) "
    "and for the log around the time of its death"
)

_CHECK = "Check a configuration before each reload: `haproxy -c -f haproxy.cfg`; a worker that runs goes on meanwhile"
_LOG = "Find what the worker wrote when it died (`journalctl -u haproxy`) and pass that text in beside the core"
_CORE = (
    "Get a core next time: `set-dumpable` in the `global` section, `LimitCORE=infinity` in the unit; "
    "`cat /proc/sys/kernel/core_pattern` tells where it will be"
)

_HUNG = "Pass in the whole panic dump, all threads: the thread that panics is often the victim of another one"
_SPINNING = "Keep all that HAProxy wrote of the stream or applet: its flags and both its sides tell what it waited for"
_UNTRUE = (
    "Find out how this executable was built (`haproxy -vv`, the package's patches): it lacks the fix that its version "
    "should have; install an official build"
)
_CORRUPTED = "The code that crashed is the victim: run with `-dMtag,integrity` to catch the culprit next time"

_REDEFINED = (
    "Take away the library or module that redefines a symbol (HAProxy warned of it): no process can be trusted with it"
)

#: What to do about a thread that the watchdog found stuck, by what it was stuck in.
_BY_STALL = {
    "lua": "Find the Lua function that does not come back: loops without end, large loads, calls of libraries; give it"
    " `tune.lua.forced-yield` and `tune.lua.session-timeout`, and `lua-load-per-thread` where threads share a state",
    "malloc_trim": "Set `no-memory-trimming` in section `global`: giving memory back took too long",
    "regex": "Simplify the regular expressions of the rules that ran: some need exponential time",
    "dns": "Let HAProxy resolve names itself (section `resolvers`): libc's resolver blocks the thread",
    "map": "Change large maps and ACLs in smaller steps, or by a reload",
}

#: Deaths that are no bug of HAProxy by themselves; for the first two no other release helps, nor do symbols.
_ENDED = ("signal_from_outside", "exit")
_NO_BUG = (*_ENDED, "oom")

#: What to look at when no signature explains a death of this kind.
_BY_KIND = {
    "oom": "Compare the memory limit of the service with `maxconn`; `journalctl -k -g 'out of memory'` shows the sizes",
    "signal_from_outside": "Find who sent the signal: `journalctl` around the time of death (service manager, scripts)",
    "watchdog": _HUNG,
    "spinning": _SPINNING,
    "heap_corruption": _CORRUPTED,
    "pool_corruption": _CORRUPTED,
}


def next_steps(
    crash: Crash,
    findings: Sequence[Finding],
    candidates: Sequence[CandidateFix],
    stacks: tuple[ThreadStack, ...],
    version: Version | Absence,
    build_id: str = "",
    asked: Sequence[Question] = (),
) -> tuple[str, ...]:
    """The steps, most useful first, each once. ``asked`` are the questions that would decide, best first."""
    steps = [*_cure(findings, version)]
    thin = not stacks and not any(crash.all(name) for name in _TELLING)
    if not _answered(findings):
        steps += _without_answer(crash, findings, candidates, version, asked, thin)
    steps += _gather(crash, findings, stacks, build_id, asked)
    if not findings and not thin and _died(crash) and _kind(crash) not in _NO_BUG and not _stall_step(crash):
        # Who reads the report asks for the names of functions first, and a core to come changes nothing in it.
        steps.insert(steps.index(_CORE) if _CORE in steps else len(steps), _REPORT)
    return tuple(dict.fromkeys(one_line(step) for step in steps))[:_MOST]


def _stall_step(crash: Crash) -> str:
    """What ends a stall that has its cause in the configuration, "" for one that may be a bug of HAProxy's."""
    stall = crash.get("watchdog.stuck_in")
    return "" if isinstance(stall, Absence) else _BY_STALL.get(str(stall.value), "")


def _freed_twice(crash: Crash) -> str:
    """Where to look when both frees of one object are known: `-dMtag` has done its work then."""
    first, second = crash.get("pool.first_free"), crash.get("pool.second_free")
    if isinstance(first, Absence) or isinstance(second, Absence):
        return ""
    return f"Look at both places that freed the object: {first.value}() first, then {second.value}(); one is wrong"


def one_line(text: str) -> str:
    """The text on one line, without a full stop at the end."""
    return " ".join(text.split()).removesuffix(".")


def first_sentences(text: str) -> str:
    """As many whole sentences as make a step, at least one: signatures explain at length, and the report has it all."""
    first, *rest = _SENTENCE_END.split(" ".join(text.split()))
    for sentence in rest:
        if len(first) + len(sentence) >= _STEP_LENGTH:
            break
        first = f"{first} {sentence}"
    return first


def _cure(findings: Sequence[Finding], version: Version | Absence) -> Iterator[str]:
    """What ends the trouble, from the best finding alone, and only when it is more than possible."""
    if not _answered(findings):
        return
    best = findings[0]
    if best.contradiction:
        yield _UNTRUE
    upgrade = upgrade_to(version, best.fixed_in) if isinstance(version, Version) else version
    if isinstance(upgrade, Upgrade):
        yield from _install(upgrade, best.fixed_in)
    elif best.remedy:
        yield first_sentences(best.remedy)
    elif best.fixed_in:
        yield f"Upgrade to a release with the fix: {', '.join(best.fixed_in)} or later"
    if best.workaround:
        until = "Until then: " if isinstance(upgrade, Upgrade) else "Meanwhile: "
        said = best.workaround.lstrip().startswith(("Until", "Meanwhile"))
        yield ("" if said else until) + first_sentences(best.workaround)


def _install(upgrade: Upgrade, fixed_in: Sequence[str]) -> Iterator[str]:
    yield f"Upgrade to {upgrade.describe()}; fixed in {', '.join(fixed_in)}"
    if upgrade.changes_branch:
        yield f"Read the notes of {upgrade.to.branch} first: no known release of {upgrade.from_branch} has the fix"
    if upgrade.silent:
        yield (
            f"Plan a move to a newer branch: {upgrade.to.branch} had no release after {upgrade.to.date} "
            f"(newest known: {upgrade.newest.text})"
        )


def _without_answer(
    crash: Crash,
    findings: Sequence[Finding],
    candidates: Sequence[CandidateFix],
    version: Version | Absence,
    asked: Sequence[Question],
    thin: bool,
) -> Iterator[str]:
    """Nothing sure is known: say so, and what would help."""
    if findings:
        which = f"`{findings[0].signature}`" if len(findings) == 1 else f"any of these {len(findings)}"
        yield f"Do not act on {which} yet: only possible, not proven"
    yield from _deciding(asked)
    if crash.all("libraries.inconsistent"):
        yield _REDEFINED
    kind = _kind(crash)
    if kind in _BY_KIND:
        step = _stall_step(crash) or _freed_twice(crash) or _BY_KIND[kind]
        # With `threads.stuck` the dump is there already.
        yield from [step] if step != _HUNG or isinstance(crash.get("threads.stuck"), Absence) else []
    died = _died(crash)
    if died and kind not in _ENDED:
        yield from _by_release(version, candidates, asked)
    refused = next((gap for gap in crash.gaps if gap.subject == REFUSED), None)
    if not died and refused is not None:
        yield f"Mend what kept HAProxy from starting: {refused.reason}"
        yield _CHECK
    elif not findings and not died and not _is_cut(crash):
        yield _NOTHING
    elif not findings and died and thin and kind not in _NO_BUG:
        # With `threads.stuck` the worker's words are there already.
        yield _THIN if isinstance(crash.get("threads.stuck"), Absence) else _THIN_DUMP


def _by_release(
    version: Version | Absence, candidates: Sequence[CandidateFix], asked: Sequence[Question]
) -> Iterator[str]:
    """The newest release of the branch; where the version is not known, to find it out, unless a question asks."""
    if isinstance(version, Version):
        yield from _newer(version, candidates)
    elif not any(question.fact == "process.version" for question in asked[:_QUESTIONS]):
        yield _VERSION


def _kind(crash: Crash) -> str:
    """How it died, "" where that is not known."""
    kind = crash.get("crash.kind")
    return "" if isinstance(kind, Absence) else str(kind.value)


def _died(crash: Crash) -> bool:
    """Whether a death is told, be it by one who does not know how."""
    return crash.died or any(gap.subject == "crash.kind" for gap in crash.gaps)


def _deciding(asked: Sequence[Question]) -> Iterator[str]:
    """The best questions as something to do, one step for all that the same thing would answer."""
    answered: dict[str, list[Question]] = {}
    for question in asked[:_QUESTIONS]:
        answered.setdefault(question.supply, []).append(question)
    for supply, questions in answered.items():
        answers = [answer for question in questions for answer in question.answers]
        named = list(dict.fromkeys(f"`{answer.signature}`" for answer in answers))
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        whom = ", ".join(named[:3]) + more
        if questions[0].fact == "process.version":
            what = "Find out which version ran (`haproxy -v`)"
        else:
            what = f"Get {supply} (tells: {'; '.join(question.label for question in questions)})"
        if len(named) > 1:
            yield f"{what}, to tell apart {whom}"
        else:
            yield f"{what}, to {'support or rule out' if any(one.decides for one in answers) else 'be surer of'} {whom}"


def _is_cut(crash: Crash) -> bool:
    """Whether there is a core, of which too little is left to tell a death."""
    return any(gap.subject == NO_THREADS for gap in crash.gaps)


def _newer(version: Version, candidates: Sequence[CandidateFix]) -> Iterator[str]:
    latest, count = latest_of_branch(version), behind(version)
    if isinstance(latest, Absence) or not count:
        return
    touching = sum(any(_is_of(text, version.branch) for text in fix.fixed_in) for fix in candidates)
    packaged = "; a distribution's package may carry fixes of later ones" if _PACKAGED.search(version.text) else ""
    leads = f", fixes since that touch this code: {touching}" if touching else ""
    yield (
        f"Try {latest.text} ({latest.date}): {version.release} is {count} releases behind{leads} "
        f"(as known on {known_until()}{packaged})"
    )


def _is_of(text: str, branch: str) -> bool:
    fixed = Version.parse(text)
    return isinstance(fixed, Version) and fixed.branch == branch


def _answered(findings: Sequence[Finding]) -> bool:
    return bool(findings) and findings[0].verdict != "possible"


def _gather(
    crash: Crash,
    findings: Sequence[Finding],
    stacks: tuple[ThreadStack, ...],
    build_id: str,
    asked: Sequence[Question],
) -> Iterator[str]:
    """What would make the answer surer: the best finding's own wishes first."""
    confirmed = bool(findings) and findings[0].verdict == "confirmed"
    if not confirmed:
        wishes = [] if asked else list(_wishes(findings[:1]))
        yield from wishes
        if _kind(crash) not in _ENDED:
            yield from _symbols(crash, stacks, build_id)
        yield from _remedies(crash, asked[:_QUESTIONS], wishes)
        if stacks and not crash.all("crash.condition") and _asserted(crash):
            yield _LOG
    if not stacks and not _answered(findings):
        yield _CORE


def _wishes(findings: Sequence[Finding]) -> Iterator[str]:
    """One step for all facts that the same thing would supply."""
    for finding in findings:
        wanted: dict[str, list[str]] = {}
        for absent in finding.missing:
            if absent.subject == "process.version":
                yield "Find out which version ran (`haproxy -v`): the answer depends on it"
                continue
            supply = absent.remedy or (KINDS[absent.subject].supply if absent.subject in KINDS else "")
            wanted.setdefault(supply, []).append(absent.subject)
        for supply, subjects in wanted.items():
            if supply:
                labels = (KINDS[subject].label if subject in KINDS else subject for subject in subjects)
                yield f"To be surer of `{finding.signature}`: {supply} (tells: {'; '.join(labels)})"


def _symbols(crash: Crash, stacks: tuple[ThreadStack, ...], build_id: str) -> Iterator[str]:
    """The exact symbols, when frames have no names and no collector said already how to get them."""
    bare = any(not frame.function for frame in crashed_frames(stacks)[:5])
    told = any("symbols" in gap.remedy or "debug" in gap.remedy for gap in crash.gaps)
    if bare and not told:
        which = f"of build-id {build_id}" if build_id else "of exactly this build"
        fetch = f" (`debuginfod-find debuginfo {build_id}`)" if build_id else ""
        yield f"Get the debug symbols {which}{fetch} and pass them in with --debug-dir"


def _remedies(crash: Crash, asked: Sequence[Question], wishes: Sequence[str]) -> Iterator[str]:
    """One step for all gaps that the same thing would close, but those that a step tells of already."""
    told = {text for question in asked for text in (question.fact, question.supply)}
    told |= {_RAN} if isinstance(crash.get("process.version"), Absence) else set()
    closed: dict[str, list[str]] = {}
    for gap in crash.gaps:
        wished = any(f": {gap.remedy} (" in one for one in wishes)
        if (
            gap.subject.startswith(OTHERS)
            or gap.subject == REFUSED
            or gap.subject in told
            or gap.remedy in told
            or wished
        ):
            continue
        closed.setdefault(gap.remedy, []).append(gap.subject)
    for remedy, subjects in closed.items():
        more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
        if remedy:
            named = ", ".join(KINDS[subject].label if subject in KINDS else subject for subject in subjects[:3])
            yield f"Missing {named}{more}: {remedy}"
    for gap in crash.gaps:
        if gap.subject.startswith(OTHERS):
            yield f"See the {gap.subject} too: {gap.remedy}"


def _asserted(crash: Crash) -> bool:
    return _kind(crash) in ("bug_on", "abort_now")
