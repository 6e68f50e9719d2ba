"""Taking in what the user gave: each input's kind is recognised by its content, never by its name."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

from forensics.elf.constants import ET_CORE, MAGIC
from forensics.errors import EmptyInput, InputError, UnknownInput, UnreadableInput, UsageError
from forensics.memory.streams import compression_of, damage_errors, decompressing, open_stream
from forensics.record import record

if TYPE_CHECKING:
    from forensics.evidence.log_files import LogFile

#: First bytes of a symbol pack (``symbols/pack.py``).
_PACK = b"HAPSYM"

#: The stack that ABRT keeps in JSON.
_CORE_BACKTRACE = "core_backtrace"
#: The element of ABRT that says how it died, those that describe the process, and bytes of each that are read.
_REASON = "reason"
_ELEMENTS = ("package", "os_release", "cmdline", "executable", "kernel", "architecture")
_MAX_ELEMENT, _MAX_MAPS = 4096, 1 << 20

#: Read to recognise a kind: enough for the first lines of a log that begins with a long banner.
_HEAD = 1 << 16

#: Inputs up to this size (bytes) are hashed; a core of 100 GB is not read for its checksum.
_HASHED = 2 << 20

#: Bytes before damage that are too few to tell what an input is.
_TELLING = 64

_CORE_HINT = "a core begins with the bytes 7f 45 4c 46; give the log, the core or both"


@record
class Taken:
    """One input: ``path`` as given, ``kind`` core, apport, log, journal, config, executable or symbols.

    ``apport`` is a crash report of apport, whose text is a log and which may hold a core.

    ``size`` in bytes, None for standard input; ``sha256`` in hexadecimal, "" when
    the input is too large to be worth it.
    """

    path: str
    kind: str
    size: int | None
    sha256: str


def take(path: str) -> Taken:
    """Recognise one input. Raises InputError for what cannot be evidence."""
    if path == "-":
        return _take_standard_input()
    size = _size_of(path)
    if is_apport(path):
        return _take_apport(path, size)
    head = _head_of(path)
    return Taken(path, _kind_of(path, head), size, _sha256(path, size))


def configurations_in(path: str) -> tuple[str, ...]:
    """The files of a directory of configurations, as `haproxy -f DIRECTORY` reads them; any other path is itself.

    These are the files whose names end in `.cfg`, without hidden ones, by name (cfgfiles_expand_directories() of
    src/haproxy.c).
    """
    if not os.path.isdir(path):
        return (path,)
    names = sorted(name for name in os.listdir(path) if name.endswith(".cfg") and not name.startswith("."))
    return tuple(os.path.join(path, name) for name in names) or (path,)


def is_apport(path: str) -> bool:
    """Tell whether an input is a crash report of apport. Raises InputError for one that cannot be read."""
    from forensics.memory import apport

    try:
        return apport.is_apport(path)
    except OSError as error:
        raise UnreadableInput(
            f"cannot open `{path}`: {error.strerror}", "check the path and the permissions"
        ) from error


def _take_apport(path: str, size: int) -> Taken:
    from forensics.memory.apport import field_of

    program = field_of(path, "ExecutablePath")
    if program and "haproxy" not in program and "hapee" not in program:
        raise UnknownInput(f"`{path}` is a crash report of `{program}`, not of HAProxy", _CORE_HINT)
    return Taken(path, "apport", size, _sha256(path, size))


def parts_of_abrt(path: str) -> tuple[str, ...]:
    """The files of a directory of ABRT that tell of the crash, the core first; none for any other directory.

    ABRT keeps one file an element (`/var/spool/abrt/ccpp-*`); those without which there is no problem directory
    are `time` and `type` (libreport's dump_dir).
    """
    if not _is_abrt(path):
        return ()
    names = set(os.listdir(path))
    cores = sorted(name for name in names if name == "coredump" or name.startswith("coredump."))[:1]
    texts = [name for name in ("backtrace", _CORE_BACKTRACE, "reason") if name in names]
    found = (os.path.join(path, name) for name in (*cores, *texts))
    return tuple(each for each in found if os.path.isfile(each) and os.path.getsize(each))


def _is_abrt(path: str) -> bool:
    try:
        names = set(os.listdir(path)) if os.path.isdir(path) else set()
    except OSError:
        return False
    return {"type", _REASON} <= names or {"analyzer", _REASON} <= names


def _take_standard_input() -> Taken:
    """Standard input is a log or nothing: a core must be read at any offset."""
    head = _standard_input().peek(_HEAD)[:_HEAD]
    if not head:
        raise EmptyInput("standard input is empty", "`journalctl -u haproxy -o json | haproxy-forensics triage -`")
    if head.startswith(MAGIC):
        raise UnknownInput("standard input is a core or an executable", "write it to a file and give its path")
    return Taken("-", "log", None, "")


_standard: list[io.BufferedReader] = []


def _standard_input() -> io.BufferedReader:
    """Standard input, looked at without being consumed; one reader for the life of the process."""
    if not _standard or _standard[0].raw is not sys.stdin.buffer:
        # A buffered reader over another one: only this one's peek() is sure to be there.
        _standard[:] = [io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), _HEAD)]
    return _standard[0]


def _size_of(path: str) -> int:
    try:
        status = os.stat(path)
    except OSError as error:
        raise UnreadableInput(f"cannot open `{path}`: {error.strerror}", "check the path") from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableInput(
            f"`{path}` is a directory", f"to go through all that is in it: haproxy-forensics scan {path}"
        )
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableInput(f"`{path}` is no regular file", "`-` reads standard input")
    if status.st_size == 0:
        raise EmptyInput(
            f"`{path}` is empty",
            "a full disk or a limit of cores leaves such files: check `df`, `ulimit -c` and the collector's log",
        )
    return status.st_size


def _head_of(path: str) -> bytes:
    stream, compression = open_stream(path)
    with stream:
        try:
            head = stream.read(_HEAD)
            if len(head) < _TELLING and getattr(stream, "damaged", False):
                stream.read(1)
        except damage_errors(compression) as error:
            raise UnreadableInput(
                f"`{path}` is {compression} data that cannot be decompressed: {error}",
                "supply the complete file, or what your own decompressor makes of it",
            ) from error
    if not head:
        raise EmptyInput(f"`{path}` decompresses to nothing", "supply the complete file")
    return head


def _kind_of(path: str, head: bytes) -> str:
    if head.startswith(MAGIC):
        return "core" if len(head) > 17 and head[16:18] == ET_CORE.to_bytes(2, "little") else _elf_kind(head)
    if head.startswith(_PACK):
        return "symbols"
    from forensics.config import looks_like_config
    from forensics.logs import looks_like_evidence, looks_like_text

    if not looks_like_text(head):
        inner = compression_of(head)
        what = f"{inner} data within compressed data" if inner else "no core, no text and no executable"
        raise UnknownInput(f"`{path}` is {what}", _CORE_HINT)
    if looks_like_config(head):
        return "config"
    name = os.path.basename(path)
    if name.startswith("core") and name != _CORE_BACKTRACE and not looks_like_evidence(head):
        raise UnknownInput(f"`{path}` is text, not a core, and holds nothing about HAProxy", _CORE_HINT)
    return "journal" if head.lstrip().startswith(b'{"') and b'"__REALTIME_TIMESTAMP"' in head else "log"


def _elf_kind(head: bytes) -> str:
    """A big-endian core has its type the other way round: let the core reader say what it is."""
    return "core" if len(head) > 17 and head[16:18] == ET_CORE.to_bytes(2, "big") else "executable"


def _sha256(path: str, size: int) -> str:
    if size > _HASHED:
        return ""
    from hashlib import sha256

    with open(path, "rb") as file:
        return sha256(file.read()).hexdigest()


def text_stream(path: str, watch: Callable[[int], None] | None = None) -> IO[bytes]:
    """The lines of a text input, decompressed; ``-`` is standard input. ``watch`` is that of ``open_stream``."""
    if path == "-":
        standard = _standard_input()
        compression = compression_of(standard.peek(8)[:8])
        # A report of apport is text; the core in it must be read at any offset.
        return decompressing(standard, compression) if compression not in ("", "apport") else standard
    if is_apport(path):
        return open(path, "rb")
    stream, _compression = open_stream(path, watch)
    if os.path.basename(path) == _REASON and _is_abrt(os.path.dirname(path)):
        return _with_elements(stream, os.path.dirname(path))
    return _from_core_backtrace(stream, path) if os.path.basename(path) == _CORE_BACKTRACE else stream


def _with_elements(reason: IO[bytes], directory: str) -> IO[bytes]:
    """ABRT's reason, and below it what other files of the problem directory say of the process, each with its name."""
    with reason:
        told = [reason.read(_MAX_ELEMENT).rstrip(b"\n")]
    for name in _ELEMENTS:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                told.append(name.encode() + b": " + b" ".join(file.read(_MAX_ELEMENT).split()))
    return io.BytesIO(b"\n".join(told) + b"\n")


def _from_core_backtrace(stream: IO[bytes], path: str) -> IO[bytes]:
    """ABRT's stack in JSON as a debugger would print it, with the mappings of HAProxy; any other text as it is."""
    from forensics.logs.core_backtrace import MAX_SIZE, text_of

    with stream:
        data = stream.read(MAX_SIZE)
    return io.BytesIO(text_of(data) + b"".join(_mappings(os.path.join(os.path.dirname(path), "maps"))))


def _mappings(path: str) -> list[bytes]:
    """The lines of ABRT's element `maps` that are about HAProxy's executable; none where there is no such file."""
    if not os.path.isfile(path):
        return []
    with open(path, "rb") as file:
        lines = file.read(_MAX_MAPS).splitlines(keepends=True)
    return [line for line in lines if b"haproxy" in line or b"hapee" in line]


def log_file(path: str, watch: Callable[[int], None] | None = None, timezone: str = "") -> LogFile:
    """A log among the inputs, to be read. ``timezone`` is that of times that name none."""
    from forensics.evidence.log_files import LogFile
    from forensics.logs.times import LogClock
    from forensics.logs.zones import Zone

    zone = Zone(timezone) if timezone else None
    if path == "-":
        from forensics.memory.remembered import Remembered

        kept = Remembered()
        return LogFile(path, lambda: kept.reading(text_stream(path)), clock=LogClock(None, zone), again=kept.again)
    with open(path, "rb") as file:
        modified, compression = os.fstat(file.fileno()).st_mtime, compression_of(file.read(8))
    clock = LogClock(modified, zone)
    return LogFile(path, lambda: text_stream(path, watch), compression, clock, lambda: text_stream(path))


def files_of_log(directory: str) -> list[str]:
    """The files of a directory that holds one rotated log and nothing else, the oldest first; else none."""
    from forensics.logs.rotation import rotated_sets

    try:
        names = [name for name in os.listdir(directory) if not name.startswith(".")]
        found = rotated_sets(os.path.join(directory, name) for name in sorted(names))
        alone = len(found) == 1 and all(take(path).kind in ("log", "journal") for path in found[0])
    except (OSError, InputError):
        return []
    return found[0] if alone else []


def check(taken: list[Taken]) -> None:
    """One incident has one core and one executable at the most. Raises UsageError."""
    for kind in ("core", "executable"):
        several = [one.path for one in taken if one.kind == kind or (kind == "core" and one.kind == "apport")]
        if len(several) > 1:
            raise UsageError(
                f"{len(several)} inputs are of the kind {kind}: {', '.join(several)}",
                "triage is about one incident; `haproxy-forensics scan` goes through many",
            )
