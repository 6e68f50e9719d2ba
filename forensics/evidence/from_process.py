"""Facts of the process and its host that texts tell beside a death, and of a death that only its aftermath tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.fact import DEATH, REFUSED, Fact
from forensics.logs import LogEvidence, Mention, SystemdExit
from forensics.logs.container import OUT_OF_MEMORY
from forensics.logs.signals import HARMLESS, signal_of_status
from forensics.source import Source

#: What makes the platform, in the order in which it is shown.
_PLATFORM = ("kernel", "distribution", "machine", "virtual machine", "container")
_FACTS = {"executable": "process.executable", "command line": "process.command_line"}
_REDEFINED = re.compile(r"([^']{1,512})' brings .{1,64} of symbol '([^']{1,256})")
_MOST = 16


def collect_process(log: LogEvidence, path: str) -> Iterator[Fact]:
    """What the log says of the process: the last word of each kind counts."""
    told = {one.what: one for one in sorted((*log.mentions, *log.process_lines), key=lambda one: one.line)}
    for what, name in _FACTS.items():
        if what in told:
            yield Fact(name, told[what].value, _source(told[what], path))
    features = [(panic.features, panic.line) for panic in log.panics if panic.features]
    if features:
        words, line = features[-1]
        yield Fact("process.features", tuple(str(words).split()), Source(path, "HAProxy info of the panic", line=line))
    platform = [told[what] for what in _PLATFORM if what in told]
    if platform:
        shown = tuple(f"{one.what}: {one.value}" for one in platform)
        yield Fact("process.platform", shown, _source(platform[0], path))
    yield from _startup(log, path)


def _source(mention: Mention, path: str) -> Source:
    return Source(path, f"line of the {mention.what}", line=mention.line)


def _startup(log: LogEvidence, path: str) -> Iterator[Fact]:
    """What was wrong from the start, and what the master did in the end."""
    redefined = [one for one in log.mentions if one.what == "inconsistent library"]
    found = [match for one in redefined if (match := _REDEFINED.match(one.value))]
    if found:
        told = tuple(dict.fromkeys(f"{match[1]}: {match[2]}" for match in found))[:_MOST]
        yield Fact("libraries.inconsistent", told, Source(path, "warning of dlopen()", line=redefined[-1].line))
    off = next((one for one in log.mentions if one.what == "watchdog disabled"), None)
    if off is not None:
        yield Fact("watchdog.disabled", True, Source(path, off.value, line=off.line))
    reaction = [one for one in log.mentions if one.what in ("exit on failure", "all exited")]
    if reaction:
        words = (
            one.value if one.what == "exit on failure" else f"all workers exited: ended with {one.value}"
            for one in reaction
        )
        source = Source(path, "the master's words", line=reaction[-1].line)
        yield Fact("master.reaction", tuple(dict.fromkeys(words))[:_MOST], source)


#: Lines that one start writes before it gives up.
_TOGETHER = 64


def no_death(gap: Absence, log: LogEvidence, path: str) -> Iterator[Absence]:
    """Why no death is told: a start may have been refused, a worker may have ended by itself, which looks like one."""
    refused = [one for one in log.mentions if one.what == "refused start"]
    if refused:
        # What it stumbled upon first: the lines below it may follow from that.
        first = next(one for one in refused if refused[-1].line - one.line < _TOGETHER)
        reason = f"line {first.line} of {path}: it was refused, which is no crash: {first.value}"
        yield Absence(REFUSED, reason, "mend that; `haproxy -c -f haproxy.cfg` checks a configuration before a reload")
    left = [one for one in log.exits if one.role == "current" and one.code and one.signal is None]
    if not left:
        yield Absence(DEATH, f"{path}: {gap.reason}", gap.remedy)
        return
    reason = f"line {left[-1].line} of {path}: worker {left[-1].pid} called exit({left[-1].code}), which is no crash"
    yield Absence(DEATH, reason, "what it wrote right before: an error that it gave up for, or a sanitizer's report")


def aftermath(log: LogEvidence, path: str) -> Iterator[Fact | SystemdExit]:
    """The death of which only an exit status is left: facts, or the status as systemd would tell it."""
    failed = [one for one in log.mentions if one.what == "startup failure"]
    if failed:
        source = Source(path, "what it said when it could not start", line=failed[-1].line)
        yield Fact("crash.kind", "exit", source)
        yield Fact("crash.message", failed[-1].value, source)
        yield Fact("crash.explanation", failed[-1].value, source)
        return
    if log.container_exits:
        end = log.container_exits[-1]
        if end.reason == OUT_OF_MEMORY:
            yield Fact("crash.kind", "oom", Source(path, "the orchestrator's reason: OOMKilled", line=end.line))
            return
        signal = signal_of_status(end.code)
        if signal is not None and signal not in HARMLESS:
            yield SystemdExit("container of haproxy", "exited", end.code, signal, None, end.line, end.origin)
        return
    ends = [one for one in log.mentions if one.what == "all exited"]
    code = int(ends[-1].value) if ends else 0
    signal = signal_of_status(code)
    if signal is not None and signal not in HARMLESS:
        yield SystemdExit("master of haproxy", "exited", code, signal, None, ends[-1].line, ends[-1].origin)
