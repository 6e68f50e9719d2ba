"""The pipeline: evidence in, one report out."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
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
from forensics.haproxy.identity import is_haproxy, program_of
from forensics.intake import Taken, check, configurations_in, parts_of_abrt, take, text_stream
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
    from forensics.logs import LogEvidence


@record
class Options:
    """What the user chose. ``scrub`` hides addresses and secrets; ``signatures`` is a directory of one's own."""

    places: Places = Places()
    signatures: str = ""
    scrub: bool = True


_DEFAULTS = Options()

#: Kinds of inputs that may hold a core, and those that tell of a crash.
_CORES = ("core", "apport")
_EVIDENCE = (*_CORES, "log", "journal")


def triage(inputs: Sequence[str], options: Options = _DEFAULTS) -> Report:
    """One incident: any mix of a core, logs, haproxy.cfg and the executable.

    Raises InputError when nothing can be analysed; an input that fails beside
    others becomes a gap of the report.
    """
    taken, witness, crash = gather(inputs, options)
    verdicts = match(load_knowledge(options.signatures, cache_directory()), crash)
    report = assemble(taken, witness, crash, verdicts)
    if not options.scrub:
        return report
    from forensics.report.scrub import scrub

    return scrub(report)


def gather(inputs: Sequence[str], options: Options = _DEFAULTS) -> tuple[list[Taken], CoreWitness | None, Crash]:
    """The inputs recognised, the core examined, and all facts of one incident. Raises as ``triage`` does."""
    taken, gaps = _take_all(inputs)
    failed: list[InputError] = []
    witness, bound = _witnesses(taken, options, gaps, failed)
    crash = collect(bound, gaps)
    if witness is None and failed and not crash.died:
        raise failed[0]
    if witness is not None:
        witness.process.save()
    return taken, witness, crash


def _take_all(inputs: Sequence[str]) -> tuple[list[Taken], list[Absence]]:
    taken: list[Taken] = []
    failed: list[InputError] = []
    for path in dict.fromkeys(one for each in inputs for one in parts_of_abrt(each) or configurations_in(each)):
        try:
            taken.append(take(path))
        except InputError as error:
            failed.append(error)
    evidence = [one for one in taken if one.kind in _EVIDENCE]
    if failed and not evidence:
        raise failed[0]
    if not evidence:
        raise EmptyInput(
            "no evidence of a crash among the inputs: "
            + (", ".join(f"{one.path} ({one.kind})" for one in taken) or "none"),
            "give a core, a log or both; `-` reads a log from standard input",
        )
    check(taken)
    return taken, [Absence(f"input {error.message}", "it could not be read", error.hint) for error in failed]


def _witnesses(
    taken: list[Taken], options: Options, gaps: list[Absence], failed: list[InputError]
) -> tuple[CoreWitness | None, list[Bound]]:
    """The collectors, each bound to its witness: the core first, since memory outranks text."""
    witness: CoreWitness | None = None
    bound: list[Bound] = []
    several = len([one for one in taken if one.kind in _EVIDENCE]) > 1
    for one in sorted(taken, key=lambda each: each.kind not in _CORES):
        try:
            if _holds_core(one):
                witness = _open_core(one.path, _places(taken, options.places))
                gaps += witness.process.core.gaps
                bound += [(collector.__name__, partial(collector, witness)) for collector in COLLECTORS]
        except InputError as error:
            if not several and one.kind != "apport":
                raise
            failed.append(error)
            gaps.append(Absence(f"core {one.path}", error.message, error.hint))
        if one.kind in ("apport", "log", "journal"):
            places = _places(taken, options.places) if not _has_core(taken) else Places()
            bound.append((f"log {one.path}", partial(_collect_text, one.path, places)))
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


def _has_core(taken: list[Taken]) -> bool:
    return any(_holds_core(one) for one in taken)


def _holds_core(one: Taken) -> bool:
    return one.kind == "core" or (one.kind == "apport" and has_core(one.path))


def _collect_text(path: str, places: Places) -> Iterator[Fact | Absence]:
    from forensics.evidence.from_log import collect_log
    from forensics.logs import parse_stream

    with text_stream(path) as stream:
        evidence = parse_stream(stream)
    if places.executable:
        evidence = yield from _with_executable(evidence, path, places)
    yield from collect_log(evidence, path)


def _with_executable(log: LogEvidence, path: str, places: Places) -> Generator[Fact | Absence, None, LogEvidence]:
    """What the executable tells of the log's addresses; returns the log with the names that it gives."""
    from forensics.builds import modules_of
    from forensics.evidence.from_executable import collect_fault, named_by, wants_executable

    if not wants_executable(log):
        return log
    try:
        symbols = next(modules_of(places.executable, places))
        yield from collect_fault(log, path, symbols)
        named = yield from named_by(log, path, symbols)
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
