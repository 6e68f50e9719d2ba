"""Which files are inputs: those that were named, and in directories those that hold evidence."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from forensics.batch.result import ScanResult
from forensics.errors import EmptyInput, InputError, UnknownInput, UsageError
from forensics.intake import parts_of_abrt, take
from forensics.logs import looks_like_evidence
from forensics.memory.streams import damage_errors, open_stream

#: A text is searched so far (bytes) for a trace of a crash; a longer one is an input without proof.
_SEARCHED = 16 << 20
_CHUNK, _OVERLAP = 1 << 20, 1 << 12

#: How a report document begins, and a line of a batch.
_OWN = re.compile(rb'\s*\{\s*"(?:schema_version":\s*"|path":"[^"]*","status":")')

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


def find_inputs(paths: Iterable[str], ignored: Ignored | None = None) -> Iterator[str | ScanResult]:
    """The inputs below ``paths``, each file once; a failed result for each place that cannot be looked into.

    A file that is named is an input whatever it is; the pattern of a shell names all
    that it fits. A directory is gone through in the order of names, and what is no
    evidence in it goes to ``ignored``. Links to directories are not followed in it.
    """
    once = _Once(Ignored() if ignored is None else ignored)
    for path in paths:
        if path == "-":
            raise UsageError("`scan` reads files, not standard input", "`haproxy-forensics triage -` reads a log there")
        for named in _named(path):
            if os.path.isdir(named):
                yield from _below(named, once)
            elif once.first(named, named):
                yield named


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


def _below(directory: str, once: _Once) -> Iterator[str | ScanResult]:
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
        below = []
        for name in names:
            path = os.path.join(place, name)
            if _is_directory(path) and not name.startswith("."):
                below.append(path)
            elif _is_input(path, name, once):
                yield path
        waiting += reversed(below)


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _is_input(path: str, name: str, once: _Once) -> bool:
    reason = "hidden" if name.startswith(".") else _reason_against(path)
    if reason:
        once.ignored.add(path, reason)
        return False
    return once.first(path, path)


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
    return "text without a trace of a crash"
