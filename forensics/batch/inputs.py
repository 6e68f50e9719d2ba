"""Which files are inputs: those that were named, and in directories those that hold evidence."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from forensics.batch.result import Input, ScanResult
from forensics.errors import EmptyInput, InputError, UnknownInput, UsageError
from forensics.intake import parts_of_abrt, take
from forensics.logs import looks_like_evidence
from forensics.logs.rotation import rotated_sets
from forensics.memory.streams import damage_errors, open_stream

#: A text is searched so far (bytes) for a trace of a crash; a longer one is an input without proof.
_SEARCHED = 16 << 20
_CHUNK, _OVERLAP = 1 << 20, 1 << 12

#: How a report document begins, and a line of a batch.
_OWN = re.compile(rb'\s*\{\s*"(?:schema_version":\s*"|path":"[^"]*","status":")')

_NO_TRACE = "text without a trace of a crash"

_UNREADABLE = "unreadable"

#: Examples kept of what was ignored, for each reason.
_EXAMPLES = 5

#: What a directory holds beside evidence.
_BESIDE = {"config": "a configuration", "executable": "an executable or a library", "symbols": "a symbol pack"}


@dataclass(slots=True)
class Ignored:
    """What was passed over in directories: how many for each reason, with the first few of them."""

    count: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, path: str, reason: str) -> None:
        """Count one more."""
        self.count[reason] += 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < _EXAMPLES:
            kept.append(path)


def find_inputs(paths: Iterable[str], ignored: Ignored | None = None) -> Iterator[Input | ScanResult]:
    """The inputs below ``paths``, each file once; a failed result for each place that cannot be looked into.

    Rotated files of one log in one directory are one input.

    A file that is named is an input whatever it is; the pattern of a shell names all
    that it fits. A directory is gone through in the order of names, and what is no
    evidence in it goes to ``ignored``. Links to directories are not followed in it.
    """
    once = _Once(Ignored() if ignored is None else ignored)
    files: list[str] = []
    for path in paths:
        if path == "-":
            raise UsageError("`scan` reads files, not standard input", "`haproxy-forensics triage -` reads a log there")
        for named in _named(path):
            if os.path.isdir(named):
                yield from _in_sets(files, _all_of)
                files = []
                yield from _below(named, once)
            elif once.first(named, named):
                files.append(named)
    yield from _in_sets(files, _all_of)


class _Once:
    """The files taken so far, by device and inode: links and repeated arguments count once."""

    def __init__(self, ignored: Ignored) -> None:
        self.ignored = ignored
        self._seen: set[tuple[int, int]] = set()

    def first(self, path: str, shown: str) -> bool:
        """Whether the file is new; one that cannot be asked is."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return True
        key = (status.st_dev, status.st_ino)
        if key in self._seen:
            self.ignored.add(shown, "a file that has another name here")
            return False
        self._seen.add(key)
        return True


def _named(path: str) -> list[str]:
    """The files that an argument names: itself, or all that the pattern fits."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    return sorted(glob.iglob(path, recursive=True)) or [path]


def _below(directory: str, once: _Once) -> Iterator[Input | ScanResult]:
    """The evidence in a directory, one of ABRT as a whole. Only the names of directories on the way down are held."""
    waiting = [directory]
    while waiting:
        place = waiting.pop()
        if parts_of_abrt(place):
            yield place
            continue
        try:
            names = sorted(os.listdir(place))
        except OSError as error:
            why = f"cannot look into `{place}`: {error.strerror}"
            yield ScanResult(place, "failed", None, why, "check the permissions")
            continue
        paths = [os.path.join(place, name) for name in names]
        below = [path for path in paths if _is_directory(path) and not _hidden(path)]
        held = set(below)
        yield from _in_sets([path for path in paths if path not in held], partial(_telling, once))
        waiting += reversed(below)


#: Of files of one log those to be taken: all that were named, or in a directory all if one tells of a crash.
_Choice = Callable[[Sequence[str]], list[str]]


def _in_sets(paths: Sequence[str], choose: _Choice) -> Iterator[Input]:
    """The files, those of one log together; whatever else has such names (`core.1`, `core.2`) is on its own."""
    for files in rotated_sets(paths):
        kinds: dict[str, str] = {}
        for path in sorted(files) if len(files) > 1 else ():
            if (kind := _kind(path)) in ("log", "journal", _UNREADABLE):
                kinds[path] = kind
            else:
                yield from choose([path])
        if len(files) > 1 and not any(kind != _UNREADABLE for kind in kinds.values()):
            for path in kinds:
                yield from choose([path])
            continue
        chosen = choose([path for path in files if path in kinds] if len(files) > 1 else files)
        if len(chosen) > 1:
            yield tuple(chosen)
        else:
            yield from chosen


def _all_of(files: Sequence[str]) -> list[str]:
    return list(files)


def _telling(once: _Once, files: Sequence[str]) -> list[str]:
    """The inputs among files of a directory: what came before a crash is told by files that know nothing of it."""
    against = {path: _why_not(path) for path in files}
    if any(not reason for reason in against.values()):
        against = {path: "" if reason == _NO_TRACE else reason for path, reason in against.items()}
    for path, reason in against.items():
        if reason:
            once.ignored.add(path, reason)
    return [path for path, reason in against.items() if not reason and once.first(path, path)]


def _kind(path: str) -> str:
    """What a file is; `unreadable` for one of which nobody can tell, so that it is no file of its own beside logs."""
    if _hidden(path) or not os.path.isfile(path):
        return ""
    try:
        return take(path).kind
    except (EmptyInput, UnknownInput):
        return ""
    except (InputError, OSError):
        return _UNREADABLE


def _hidden(path: str) -> bool:
    return os.path.basename(path).startswith(".")


def _why_not(path: str) -> str:
    return "hidden" if _hidden(path) else _reason_against(path)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _reason_against(path: str) -> str:
    """Why a file in a directory is no input, "" when it is one.

    What cannot be read is an input: it fails and says why, since it could be a core.
    """
    try:
        status = os.stat(path)
    except OSError:
        return "a link that leads nowhere" if os.path.islink(path) else ""
    if not stat.S_ISREG(status.st_mode):
        return "a link to a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
    return _judged(path, _content_against)


def _judged(path: str, judge: Callable[[str], str]) -> str:
    try:
        return judge(path)
    except EmptyInput:
        return "empty"
    except UnknownInput:
        return "no core and no text"
    except (InputError, OSError):
        return ""


def _content_against(path: str) -> str:
    kind = take(path).kind
    return _BESIDE[kind] if kind in _BESIDE else "" if kind in ("core", "apport") else _text_against(path)


def _text_against(path: str) -> str:
    """A text needs a line that tells of a crash, unless it is too long to tell."""
    stream, compression = open_stream(path)
    with stream:
        try:
            before, searched = b"", 0
            while chunk := stream.read(_CHUNK):
                if not before and _OWN.match(chunk):
                    return "a report of this program"
                searched += len(chunk)
                if searched > _SEARCHED or looks_like_evidence(before + chunk):
                    return ""
                before = chunk[-_OVERLAP:]
        except damage_errors(compression):
            return ""
    return _NO_TRACE
