"""Carriers that wrap a line in JSON: the journal (`journalctl -o json`), docker's json-file, and their kin."""

from __future__ import annotations

import json

from forensics.record import record

#: A journal entry of systemd-coredump holds the maps and the environment too: it is longer than any text.
MAX_JSON = 1024 * 1024

_TEXT_KEYS = ("MESSAGE", "log", "message", "msg", "textPayload")
_TIME_KEYS = ("__REALTIME_TIMESTAMP", "time", "@timestamp", "timestamp")
_COREDUMP_KEYS = (
    "COREDUMP_PID", "COREDUMP_COMM", "COREDUMP_EXE", "COREDUMP_SIGNAL", "COREDUMP_SIGNAL_NAME", "COREDUMP_CMDLINE",
    "COREDUMP_PACKAGE_NAME", "COREDUMP_PACKAGE_VERSION",
)  # fmt: skip
_MAX_FIELD = 4096


@record
class Message:
    """What a JSON object carries: its text, and the journal's own fields as ``NAME=value`` lines.

    ``stream`` is docker's name of the stream; ``whole`` tells whether the text ended with a line feed, which docker
    leaves out where it breaks a line.
    """

    text: str
    time: str | None
    identifier: str | None
    pid: int | None
    carrier: str
    fields: tuple[str, ...]
    host: str | None = None
    stream: str | None = None
    whole: bool = True


def read_json(text: str) -> Message | None:
    """The message of one JSON object, or None when the line is something else."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return None
    try:
        entry = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return message_of(entry) if isinstance(entry, dict) else None


def message_of(entry: dict[str, object]) -> Message | None:
    """The message in the fields of an object or of a journal's entry; None where they hold none."""
    if not any(key in entry for key in (*_TEXT_KEYS, *_COREDUMP_KEYS)):
        return None
    journal = "MESSAGE" in entry or "COREDUMP_PID" in entry
    text = next((_as_text(entry[key]) for key in _TEXT_KEYS if key in entry), "")
    return Message(
        text=text.rstrip("\n"),
        time=_first(entry, _TIME_KEYS),
        identifier=_first(entry, ("SYSLOG_IDENTIFIER", "_COMM")) or _transport(entry),
        pid=_pid(entry),
        carrier="journal" if journal else "docker",
        fields=tuple(f"{key}={_as_text(entry[key])[:_MAX_FIELD]}" for key in _COREDUMP_KEYS if key in entry),
        host=_first(entry, ("_HOSTNAME", "CONTAINER_NAME")),
        stream=None if journal or "log" not in entry else _first(entry, ("stream",)),
        whole=text.endswith("\n"),
    )


def _as_text(value: object) -> str:
    """A value of the journal: a string, null, an array of bytes, or an array of values."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return str(value) if isinstance(value, int) and abs(value) < 1 << 64 else ""
    if all(type(item) is int and 0 <= item < 256 for item in value):
        return bytes(value).decode("utf-8", "replace")
    return "\n".join(_as_text(item) for item in value if not _nested(item))


def _nested(value: object) -> bool:
    """Arrays in arrays in arrays: no journal writes them, and they could recurse without end."""
    return isinstance(value, list) and any(isinstance(item, list) for item in value)


def _first(entry: dict[str, object], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _as_text(entry.get(key)))), None)


def _transport(entry: dict[str, object]) -> str | None:
    return "kernel" if entry.get("_TRANSPORT") == "kernel" else None


def _pid(entry: dict[str, object]) -> int | None:
    text = _first(entry, ("_PID", "SYSLOG_PID")) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
