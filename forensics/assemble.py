"""From what was found to the report document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics import __version__
from forensics.absence import Absence
from forensics.diagnosis.diagnose import diagnose
from forensics.diagnosis.releases import known_until, release_date
from forensics.elf.module import Module
from forensics.evidence.agreement import contradictions
from forensics.evidence.core_witness import CoreWitness
from forensics.evidence.fact import Crash, Fact
from forensics.evidence.timeline.entry import Timeline
from forensics.haproxy.counters import Counter, Counters
from forensics.haproxy.release import Release
from forensics.intake import Taken
from forensics.matching.verdict import Verdict
from forensics.names import UNNAMED
from forensics.record import replace
from forensics.report import document
from forensics.report.words import culprit_position, plural
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import Frame
from forensics.versions import Version

#: What usually cuts a core, by what is missing (see `man systemd-coredump.conf`, `man core`).
_CUT = "a limit of the collector (`ProcessSizeMax`, `ExternalSizeMax`), `ulimit -c`, or a full disk"

_NO_TIMELINE = Timeline()

#: Places that a gap lists; the report's modules have all.
_MOST_TRIED = 4


def assemble(
    taken: Sequence[Taken],
    witness: CoreWitness | None,
    crash: Crash,
    verdicts: tuple[Verdict, ...],
    timeline: Timeline = _NO_TIMELINE,
) -> document.Report:
    """The report of one incident."""
    stacks = witness.stacks if witness else ()
    build_id = _build_id(witness)
    threads = tuple(document.Thread.of(stack) for stack in stacks) or _traced_thread(crash)
    report = document.Report(
        tool=document.Tool(__version__, __version__, known_until()),
        inputs=tuple(_input(one, witness) for one in taken),
        process=_process(witness, crash, build_id),
        crash=replace(_crash(witness, crash), time=timeline.time),
        threads=threads,
        thread_groups=document.group_threads(threads),
        modules=_modules(witness),
        disagreements=tuple(_disagreement(crash)),
        state=_state(witness, crash),
        timeline=timeline.entries,
        gaps=crash.gaps + _gaps(witness) + timeline.gaps,
    )
    return document.with_diagnosis(report, diagnose(crash, verdicts, stacks, build_id))


def _build_id(witness: CoreWitness | None) -> str:
    main = witness.process.core.main_module if witness else None
    return main.build_id if isinstance(main, Module) and isinstance(main.build_id, str) else ""


def _input(one: Taken, witness: CoreWitness | None) -> document.Input:
    truncated = None
    if one.kind in ("core", "apport") and witness is not None:
        cut = witness.process.core.truncation
        if cut is not None:
            truncated = document.Truncation(cut.missing_bytes, cut.lost, _CUT)
    return document.Input(one.path, one.kind, one.sha256, one.size, truncated)


def _text(crash: Crash, name: str) -> str:
    fact = crash.get(name)
    return str(fact.value) if isinstance(fact, Fact) else ""


def _number(crash: Crash, name: str) -> int | None:
    fact = crash.get(name)
    return fact.value if isinstance(fact, Fact) and isinstance(fact.value, int) else None


def _process(witness: CoreWitness | None, crash: Crash, build_id: str) -> document.Process:
    version = _text(crash, "process.version")
    parsed = Version.parse(version) if version else Absence("process.version", "no input says it")
    known = release_date(parsed) if isinstance(parsed, Version) else ""
    date = known if isinstance(known, str) else ""
    features, platform = _listed(crash, "process.features"), _platform(crash)
    if witness is None:
        return document.Process(
            version,
            date,
            executable=_text(crash, "process.executable"),
            command_line=_text(crash, "process.command_line"),
            pid=_number(crash, "process.pid"),
            features=features,
            platform=platform,
        )
    core, release = witness.process.core, witness.release
    main = core.main_module
    if isinstance(release, Release) and release.date:
        date = release.date.replace("/", "-")
    return document.Process(
        version=version,
        release_date=date,
        build_id=build_id,
        executable=main.path if isinstance(main, Module) else "",
        command_line=core.process.arguments if core.process else "",
        pid=core.process.pid if core.process else None,
        threads=len(core.threads),
        features=features,
        platform={**platform, "machine": witness.process.architecture.name},
    )


def _listed(crash: Crash, name: str) -> tuple[str, ...]:
    fact = crash.get(name)
    return fact.value if isinstance(fact, Fact) and isinstance(fact.value, tuple) else ()


def _platform(crash: Crash) -> dict[str, str]:
    """The host as texts describe it."""
    return {name: value for name, _, value in (each.partition(": ") for each in _listed(crash, "process.platform"))}


def _crash(witness: CoreWitness | None, crash: Crash) -> document.CrashSummary:
    file, line = _text(crash, "crash.source_file"), _number(crash, "crash.source_line")
    culprit = _culprit(witness)
    death = witness.death if witness else None
    signal = witness.process.core.signal if witness else None
    thread = witness.crashed if witness and witness.crashed.crashed else None
    kind = _text(crash, "crash.kind") or "unknown"
    own = death.explanation if death and death.kind == kind else ""
    function = _text(crash, "crash.function") or (culprit.function if culprit else _first_named(crash))
    return document.CrashSummary(
        kind=kind,
        signal=_text(crash, "crash.signal"),
        code=signal.code_name if signal else "",
        address=_number(crash, "crash.address"),
        condition=_text(crash, "crash.condition"),
        source=f"{file}:{line}" if file and line else file,
        function=function,
        thread=document.ThreadRef(thread.lwp, thread.number) if thread else None,
        explanation=_text(crash, "crash.explanation") or own,
        assertion=_dated_assertion(crash, function),
        command=_text(crash, "debug.command"),
    )


def _dated_assertion(crash: Crash, function: str) -> document.DatedAssertion | None:
    """What the releases tell beyond the inputs: the releases without a version, the function without a name."""
    named, dated = crash.get("assertion.function"), crash.get("assertion.releases")
    inside = str(named.value) if isinstance(named, Fact) and not function else ""
    undated = isinstance(crash.get("process.version"), Absence)
    releases = dated.value if undated and isinstance(dated, Fact) and isinstance(dated.value, tuple) else ()
    telling = dated if isinstance(dated, Fact) and releases else named
    if isinstance(telling, Absence) or not (inside or releases):
        return None
    candidates = () if function else _listed(crash, "assertion.candidates")
    return document.DatedAssertion(inside, releases, telling.trust, telling.source.what, candidates)


def _culprit(witness: CoreWitness | None) -> Frame | None:
    from forensics.haproxy.death.cause import culprit_frames

    if witness is None or not witness.crashed.crashed:
        return None
    frames = culprit_frames(witness.crashed)
    return frames[0] if frames and frames[0].function else None


def _first_named(crash: Crash) -> str:
    """The culprit as a log names it, where its very first frame has a name."""
    fact = crash.get("stack")
    if isinstance(fact, Absence) or not isinstance(fact.value, tuple) or not fact.value:
        return ""
    return "" if fact.value[0] == "?" else fact.value[0].strip("[]")


def _traced_thread(crash: Crash) -> tuple[document.Thread, ...]:
    """The call trace of a log, by the executable where that is given; without it, the functions that the text names."""
    entries = _listed(crash, "stack.places") or _listed(crash, "stack")
    if not entries:
        return ()
    frames = [_traced_frame(index, place) for index, place in enumerate(entries)]
    inside, culprit = _text(crash, "assertion.function"), culprit_position(frames)
    if inside and culprit < len(frames) and not frames[culprit].function:
        frames[culprit] = replace(frames[culprit], hint=f"the check stands in {inside}() in HAProxy's releases")
    return (document.Thread(crashed=True, frames=tuple(frames)),)


def _traced_frame(index: int, place: str) -> document.StackFrame:
    """A frame of ``function at file:line``, an inlined one in brackets."""
    name, _, where = place.partition(" at ")
    file, _, line = where.rpartition(":")
    return document.StackFrame(
        index=index,
        function="" if name == UNNAMED else name.strip("[]"),
        file=file,
        line=int(line) if line.isdigit() else None,
        inlined=name.startswith("["),
        status="no_symbol" if name == UNNAMED else "symbolicated",
    )


def _modules(witness: CoreWitness | None) -> tuple[document.ModuleEntry, ...]:
    if witness is None:
        return ()
    return tuple(
        document.ModuleEntry(
            files.module.path,
            files.module.build_id if isinstance(files.module.build_id, str) else "",
            files.status,
            tuple(files.tried),
        )
        for files in witness.process.files
    )


def _state(witness: CoreWitness | None, crash: Crash) -> dict[str, object]:
    """What is known beside the crash: complaints before it, checks that matched, stick-tables, peers."""
    complaints = _complaints(crash)
    state: dict[str, object] = {"complaints": complaints} if complaints else {}
    if witness is not None and isinstance(witness.counters, Counters) and witness.counters.hits:
        hits = sorted(witness.counters.hits, key=lambda one: (one.kind == "glitch", -one.count))
        state["checks"] = [_check(one) for one in hits]
    if witness is not None and witness.death.candidates:
        state["candidate assertions"] = list(witness.death.candidates)
    state.update(witness.told if witness is not None else {})
    return state


def _complaints(crash: Crash) -> list[str]:
    """What was wrong before the death and what followed it, as texts tell it."""
    blocked = _number(crash, "warnings.blocked_traffic")
    told = [f"a library redefines a symbol: {each}" for each in _listed(crash, "libraries.inconsistent")]
    told += ["the watchdog could not be set up: no panic ends a loop"] if crash.all("watchdog.disabled") else []
    told += [f"failed before: {each}" for each in _listed(crash, "warnings.checks")]
    told += [f"{plural(blocked, 'warning')} of blocked traffic"] if blocked else []
    return told + [f"master: {each}" for each in _listed(crash, "master.reaction")]


def _check(hit: Counter) -> dict[str, object]:
    return {
        "kind": hit.kind, "source": f"{hit.file}:{hit.line}", "function": hit.function, "condition": hit.condition,
        "explanation": hit.explanation, "count": hit.count,
    }  # fmt: skip


def _disagreement(crash: Crash) -> list[document.Disagreement]:
    found = []
    for one in contradictions(crash):
        first, second = (_shown(fact) for fact in (one.first, one.second))
        note = f"{one.first.source.describe()}; {one.second.source.describe()}"
        found.append(document.Disagreement(one.subject, first, second, note))
    return found


def _shown(fact: Fact) -> str:
    return " <- ".join(fact.value[:6]) if isinstance(fact.value, tuple) else str(fact.value)


def _gaps(witness: CoreWitness | None) -> tuple[Absence, ...]:
    """What the files of the modules could not give."""
    if witness is None:
        return ()
    return (*_doubts(witness), *_module_gaps(witness.process), *_unnamed(witness))


def _doubts(witness: CoreWitness) -> Iterator[Absence]:
    """Where the code that crashed and the memory of the process do not say the same."""
    if witness.death.contradiction:
        yield Absence(
            "certainty about the failed check",
            f"the code names {witness.death.file}:{witness.death.line}, but {witness.death.contradiction}",
            "the log of the worker, which says which check failed",
        )


def _module_gaps(process: Process) -> Iterator[Absence]:
    for files in process.files:
        if files.status in ("missing", "malformed", "mismatched"):
            build = files.module.build_id or "unknown"
            more = f"; and {len(files.tried) - _MOST_TRIED} more" if len(files.tried) > _MOST_TRIED else ""
            yield Absence(
                f"code of {files.module.path}",
                f"no file of its build-id ({build}) was found: "
                + ("; ".join(files.tried[:_MOST_TRIED]) or "nothing to try")
                + more,
                _sources_of_code(files.module),
            )


def _sources_of_code(module: Module) -> str:
    """What supplies a module's file, as the next thing to type."""
    option = "--exe" if module.main else "--sysroot"
    fetched = f", or `debuginfod-find executable {module.build_id}`" if isinstance(module.build_id, str) else ""
    return (
        f"the file that was running, with `{option}`; `--debuginfod`{fetched};"
        " or `haproxy-forensics symbols pack CORE` on its host, and the packs here with `--symbols`"
    )


def _unnamed(witness: CoreWitness) -> Iterator[Absence]:
    """Static functions of a stripped executable have no name: say so, and what has the names."""
    frames = [frame for stack in witness.stacks for frame in stack.frames if frame.status == "no_symbol"]
    main = witness.process.core.main_module
    if not isinstance(main, Module) or not any(frame.module == main.path for frame in frames):
        return
    fetched = f", or `debuginfod-find debuginfo {main.build_id}`" if isinstance(main.build_id, str) else ""
    places = {frame.pc for frame in frames if frame.module == main.path}
    yield Absence(
        f"names of {plural(len(places), 'function')} of {main.name}",
        "the executable is stripped: only exported functions have names",
        "its debug symbols: `apt-get install haproxy-dbgsym` or `dnf debuginfo-install haproxy`, or what they"
        f" install with `--debug-dir`; `--debuginfod`{fetched}",
    )
