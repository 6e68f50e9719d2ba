"""The pipeline: evidence in, one report out."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING

from forensics.absence import Absence
from forensics.assemble import assemble
from forensics.elf.core import read_core
from forensics.errors import EmptyInput, ForeignCore, ForensicsError, InputError
from forensics.evidence.collect import Bound, collect
from forensics.evidence.collectors import COLLECTORS
from forensics.evidence.core_witness import CoreWitness, examine
from forensics.evidence.fact import Crash, Fact
from forensics.evidence.timeline.entry import Timeline, date_text
from forensics.haproxy.identity import is_haproxy, program_of
from forensics.intake import (
    Taken,
    check,
    configurations_in,
    files_of_log,
    log_file,
    parts_of_abrt,
    take,
    text_stream,
)
from forensics.matching.knowledge import load_knowledge
from forensics.matching.match import match
from forensics.memory.apport import has_core
from forensics.memory.open import open_bytes
from forensics.record import record, replace
from forensics.report.document import Report
from forensics.symbols.find import Places
from forensics.symbols.memo import cache_directory
from forensics.unwind import opened
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import ThreadStack

if TYPE_CHECKING:
    from forensics.evidence.asked import Asked
    from forensics.evidence.log_files import LogFiles
    from forensics.logs import Incident, LogEvidence


@record
class Options:
    """What the user chose. ``scrub`` hides addresses and secrets; ``signatures`` is a directory of one's own.

    ``incident`` (from 1, in order of time) or ``pid`` choose among the deaths that a log tells of; the latest, if not
    given. ``timezone`` is that of times in logs that name none; UTC, if not given.
    """

    places: Places = Places()
    signatures: str = ""
    scrub: bool = True
    incident: int | None = None
    pid: int | None = None
    timezone: str = ""


_DEFAULTS = Options()

#: Kinds of inputs that may hold a core, and those that tell of a crash.
_CORES = ("core", "apport")
_TEXTS = ("apport", "log", "journal")
_EVIDENCE = ("core", *_TEXTS)


#: Deaths of one log around each of which lines are read again.
_MOST_NEAR = 20

#: Told of a path and how many of its bytes were read, each time.
Watch = Callable[[str, int], None]


def triage(inputs: Sequence[str], options: Options = _DEFAULTS, watch: Watch | None = None) -> Report:
    """One incident: any mix of a core, logs, haproxy.cfg and the executable.

    Raises InputError when nothing can be analysed; an input that fails beside
    others becomes a gap of the report. UsageError when no log tells of the
    incident that ``options`` name.
    """
    return _report(_gather(inputs, options, watch), options)


@record
class Answer:
    """One incident of an input: its number, 0 for the only one, and the file in which it begins ("" for a core)."""

    number: int
    file: str
    report: Report


def triage_each(given: str | Sequence[str], options: Options = _DEFAULTS) -> Iterator[tuple[int, Report]]:
    """Every incident that one input tells of, with its number; 0 for the only one. Raises as ``triage`` does."""
    return ((one.number, one.report) for one in answers(given, options))


def answers(given: str | Sequence[str], options: Options = _DEFAULTS) -> Iterator[Answer]:
    """As ``triage_each``. ``given`` is a path, or the files of one rotated log, the oldest first."""
    paths = [given] if isinstance(given, str) else list(given)
    taken, gaps = _take_all(paths)
    if parts_of_abrt(paths[0]) or any(one.kind in _CORES for one in taken):
        yield Answer(0, "", triage(paths, options))
        return
    log = _read([one.path for one in taken], None, options.timezone)
    several = len(log.evidence.incidents) > 1
    for incident in log.evidence.incidents if several else (None,):
        told = partial(log.placed, _told(log, incident, _places_of_logs(taken, options.places)))
        crash = collect([(f"log {log.name}", told)], (*gaps, *log.gaps, *_lost(log)))
        timeline = _timeline([(log, incident)], None, near=len(log.evidence.incidents) <= _MOST_NEAR)
        first = incident or next(iter(log.evidence.incidents), None)
        file = log.place(first.first.line)[0] if first else log.name
        yield Answer(incident.number if incident else 0, file, _report(Gathered(taken, None, crash, timeline), options))


def _lost(log: LogFiles) -> Iterator[Absence]:
    """That a log tells of more deaths than are kept."""
    if count := log.evidence.earlier_incidents:
        why = f"the first {count} were too many to be kept"
        yield Absence(f"earlier incidents of {log.name}", why, "a shorter piece of the log")


def _report(gathered: Gathered, options: Options) -> Report:
    verdicts = match(load_knowledge(options.signatures, cache_directory()), gathered.crash)
    report = assemble(gathered.taken, gathered.witness, gathered.crash, verdicts, gathered.timeline)
    if not options.scrub:
        return report
    from forensics.report.scrub import scrub

    return scrub(report)


@record
class Gathered:
    """The inputs recognised, the core examined, all facts of one incident and what came before it."""

    taken: list[Taken]
    witness: CoreWitness | None
    crash: Crash
    timeline: Timeline = Timeline()


def gather(
    inputs: Sequence[str], options: Options = _DEFAULTS, watch: Watch | None = None
) -> tuple[list[Taken], CoreWitness | None, Crash]:
    """The inputs recognised, the core examined, and all facts of one incident. Raises as ``triage`` does."""
    gathered = _gather(inputs, options, watch)
    return gathered.taken, gathered.witness, gathered.crash


def _gather(inputs: Sequence[str], options: Options, watch: Watch | None) -> Gathered:
    from forensics.evidence.asked import Asked

    taken, gaps = _take_all(inputs)
    failed: list[InputError] = []
    asked = Asked(options.incident, options.pid)
    texts = _Texts(taken, asked, options, watch)
    witness, bound = _witnesses(taken, options, gaps, failed, texts)
    crash = collect(bound, gaps)
    asked.check()
    if witness is None and failed and not crash.died:
        raise failed[0]
    if witness is not None:
        witness.process.save()
    return Gathered(taken, witness, crash, _timeline(texts.told, witness if crash.died else None))


def _timeline(
    told: Sequence[tuple[LogFiles, Incident | None]], witness: CoreWitness | None, near: bool = True
) -> Timeline:
    """What came before the death and after it, where a log tells of anything."""
    clock = witness.last_clock if witness is not None else None
    if not told:
        return Timeline(time=date_text(clock, True) if clock is not None else "")
    from forensics.evidence.timeline.build import TellingLog, build

    return build([TellingLog(log, incident, near) for log, incident in told], clock)


def _take_all(inputs: Sequence[str]) -> tuple[list[Taken], list[Absence]]:
    taken: list[Taken] = []
    failed: list[tuple[str, InputError]] = []
    for path in dict.fromkeys(one for given in inputs for each in _unfolded(given) for one in _parts(each)):
        try:
            taken.append(take(path))
        except InputError as error:
            failed.append((path, error))
    evidence = [one for one in taken if one.kind in _EVIDENCE]
    if failed and not evidence:
        raise failed[0][1]
    if not evidence:
        raise EmptyInput(
            "no evidence of a crash among the inputs: "
            + (", ".join(f"{one.path} ({one.kind})" for one in taken) or "none"),
            "give a core, a log or both; `-` reads a log from standard input",
        )
    check(taken)
    return taken, [_unread(path, error) for path, error in failed]


def _unread(path: str, error: InputError) -> Absence:
    """The gap that an input leaves; what most messages begin with is its subject."""
    return Absence(f"input `{path}`", error.message.removeprefix(f"`{path}` "), error.hint)


def _unfolded(path: str) -> list[str]:
    """The files of a directory that is one log; any other input is itself."""
    return (files_of_log(path) if os.path.isdir(path) else []) or [path]


def _parts(path: str) -> Sequence[str]:
    """The files of a directory of ABRT or of one with configurations; any other input is itself."""
    return parts_of_abrt(path) or configurations_in(path)


def _pids_of(witness: CoreWitness) -> tuple[int, ...]:
    core = witness.process.core
    lwps = tuple(thread.lwp for thread in core.threads)
    return (core.process.pid, *lwps) if core.process else lwps


def _witnesses(
    taken: list[Taken], options: Options, gaps: list[Absence], failed: list[InputError], texts: _Texts
) -> tuple[CoreWitness | None, list[Bound]]:
    """The collectors, each bound to its witness: the core first, since memory outranks text."""
    witness: CoreWitness | None = None
    bound: list[Bound] = []
    several = len([one for one in taken if one.kind in _EVIDENCE]) > 1
    for one in sorted(taken, key=lambda each: each.kind not in _CORES):
        try:
            if _holds_core(one):
                witness = _open_core(one.path, _places(taken, options.places))
                texts.asked.core_pids = _pids_of(witness)
                gaps += witness.process.core.gaps
                bound += [(collector.__name__, partial(collector, witness)) for collector in COLLECTORS]
        except InputError as error:
            if not several and one.kind != "apport":
                raise
            failed.append(error)
            gaps.append(Absence(f"core {one.path}", error.message, error.hint))
        if one.kind in _TEXTS:
            bound += texts.bound(one.path)
    configs = [one.path for one in taken if one.kind == "config"]
    if configs:
        bound.append((f"configuration {', '.join(configs)}", partial(_collect_config, configs)))
    return witness, bound


def _places(taken: list[Taken], places: Places) -> Places:
    """The places named by options, and the executable and symbol packs among the inputs."""
    executable = next((one.path for one in taken if one.kind == "executable"), "")
    packs = tuple(one.path for one in taken if one.kind == "symbols")
    return replace(places, executable=places.executable or executable, packs=(*places.packs, *packs))


def open_core(path: str, options: Options = _DEFAULTS) -> tuple[Process, tuple[ThreadStack, ...]]:
    """A core of any program, its threads unwound. Raises InputError when it cannot be read, or has no thread."""
    return opened.open_core(path, options.places)


def _open_core(path: str, places: Places) -> CoreWitness:
    process = Process(read_core(open_bytes(path)), places)
    _refuse_foreign(process)
    return examine(process, backtraces(process))


def crash_of_text(text: str) -> Crash:
    """The facts of a log excerpt, for the cases of signatures."""
    from forensics.evidence.from_log import collect_log
    from forensics.logs import parse

    return collect([("log", lambda: collect_log(parse(text.encode().splitlines(keepends=True)), "log"))])


def _refuse_foreign(process: Process) -> None:
    """Raise ForeignCore for a core of another program."""
    if not is_haproxy(process):
        raise ForeignCore(
            f"`{process.core.path}` is a core of `{program_of(process)}`, not of HAProxy",
            "look for the core of the process `haproxy`: `coredumpctl list haproxy`, or the directory in"
            " /proc/sys/kernel/core_pattern",
        )


class _Texts:
    """The logs among the inputs, each with all of its rotated files, and the incident that is asked about."""

    def __init__(self, taken: list[Taken], asked: Asked, options: Options, watch: Watch | None) -> None:
        self.asked = asked
        self._places = _places_of_logs(taken, options.places)
        self._timezone = options.timezone
        self._watch = watch
        self.told: list[tuple[LogFiles, Incident | None]] = []
        self._paths = [one.path for one in taken if one.kind in _TEXTS]

    def bound(self, path: str) -> Iterator[Bound]:
        """The collector of the log that ``path`` belongs to, at the first of its files."""
        from forensics.logs.rotation import rotated_sets

        files = next(each for each in rotated_sets(self._paths) if path in each)
        if path == next(each for each in self._paths if each in files):
            yield f"log {files[-1]}", partial(self._collect, files)

    def _collect(self, files: Sequence[str]) -> Iterator[Fact | Absence]:
        """The facts of the incident that was chosen in one log."""
        from forensics.evidence.asked import other_incidents

        log = _read(files, self._watch, self._timezone)
        yield from log.gaps
        incident = self.asked.choose(log.evidence)
        self.told.append((log, incident))
        yield from log.placed(_told(log, incident, self._places))
        if incident is not None:
            yield from other_incidents(log.evidence, incident, log.name)


def _has_core(taken: list[Taken]) -> bool:
    return any(_holds_core(one) for one in taken)


def _holds_core(one: Taken) -> bool:
    return one.kind == "core" or (one.kind == "apport" and has_core(one.path))


def _read(files: Sequence[str], watch: Watch | None, timezone: str) -> LogFiles:
    from forensics.evidence.log_copies import without_copies
    from forensics.evidence.log_files import read_log

    found = [log_file(path, partial(watch, path) if watch else None, timezone) for path in files]
    return read_log(without_copies(found) if len(found) > 1 else found)


def _places_of_logs(taken: list[Taken], places: Places) -> Places:
    """Where the executable of a log is: a core knows its own better."""
    return Places() if _has_core(taken) else _places(taken, places)


def _told(log: LogFiles, incident: Incident | None, places: Places) -> Iterator[Fact | Absence]:
    """What a log tells of one incident, with the names that an executable gives."""
    from forensics.evidence.from_log import collect_log

    evidence = incident.evidence if incident else log.evidence
    if places.executable:
        evidence = yield from _with_executable(evidence, log.name, places)
    yield from collect_log(evidence, log.name)
    if len(log.files) == 1:
        from forensics.evidence.quoted_config import quoted_config

        yield from quoted_config(log.files[0])


def _with_executable(log: LogEvidence, path: str, places: Places) -> Generator[Fact | Absence, None, LogEvidence]:
    """What the executable tells of the log's addresses; returns the log with the names that it gives."""
    from forensics.builds import modules_of
    from forensics.evidence.from_executable import collect_fault, named_by, wants_executable
    from forensics.evidence.named_addresses import name_addresses, wants_names

    if not wants_executable(log) and not wants_names(log):
        return log
    try:
        symbols = next(modules_of(places.executable, places))
        yield from collect_fault(log, path, symbols)
        named = yield from named_by(log, path, symbols)
        named = yield from name_addresses(named, path, symbols)
        symbols.save()
    except ForensicsError as error:
        yield Absence(f"executable {places.executable}", error.message, error.hint)
        return log
    return named


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of bounded length: a file without line ends must not fill the memory."""
    while line := stream.readline(1 << 20):
        yield line


def _collect_config(paths: Sequence[str]) -> Iterator[Fact | Absence]:
    """All files of the configuration, in the order given, as HAProxy reads those of several `-f`."""
    from forensics.config import parse_files
    from forensics.evidence.from_config import collect_config

    config = parse_files((path, _lines_of(path)) for path in paths)
    yield from collect_config(config, ", ".join(paths))


def _lines_of(path: str) -> Iterator[bytes]:
    with text_stream(path) as stream:
        yield from _lines(stream)
