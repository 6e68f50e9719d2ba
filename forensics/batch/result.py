"""What became of one input, and the work that led there: plain data, so that both can travel and be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from forensics.api import Options
from forensics.record import record
from forensics.symbols.find import Places

Status = Literal["analysed", "failed", "timeout", "died"]
#: A path, or the files of one rotated log, the oldest first.
Input = str | tuple[str, ...]

#: Members of a line of JSON Lines, in this order.
_MEMBERS = ("path", "status", "seconds", "error", "hint", "report")


@record
class ScanResult:
    """One input's end.

    ``status``: analysed; failed (the input cannot be analysed); timeout (it took longer
    than it may); died (the worker did not survive it). ``report`` is the report document
    as JSON values, None unless analysed; ``error`` and ``hint`` say why not and what to
    do. ``seconds`` is the time it took. ``incident`` is the number in order of time where
    the input tells of several, else 0; ``first`` tells one result of each input.
    ``files`` are those of a rotated log, the oldest first, of which ``path`` is the youngest and ``file`` the one in
    which the incident begins; none for any other input.
    """

    path: str
    status: Status
    report: Mapping[str, Any] | None = None
    error: str = ""
    hint: str = ""
    seconds: float = 0.0
    incident: int = 0
    first: bool = True
    files: tuple[str, ...] = ()
    file: str = ""

    @property
    def analysed(self) -> bool:
        """Whether there is a report."""
        return self.status == "analysed"

    def to_json_line(self) -> str:
        """The result on one line of JSON Lines, in ASCII: nothing in it acts on a terminal."""
        values = {name: getattr(self, name) for name in _MEMBERS} | {"seconds": round(self.seconds, 3)}
        if self.incident:
            values = {"path": self.path, "incident": self.incident} | values
        if self.files:
            report = values.pop("report")
            values |= {"file": _written(self.file), "files": [_written(each) for each in self.files], "report": report}
        for name in ("path", "error", "hint"):
            values[name] = _written(values[name])
        return json.dumps(values, separators=(",", ":")).replace("\x7f", "\\u007f") + "\n"


def _written(text: str) -> str:
    """A name that is no UTF-8 has its odd bytes spelled out: lone surrogates are no JSON."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@record
class Work:
    """What workers do with each input, under which limits.

    ``function`` is ``module:name`` of a function of an input and ``options`` that gives a
    report document as JSON values. ``timeout`` is in seconds for each file of an input, ``memory``
    in MiB for each worker.
    """

    function: str
    options: Mapping[str, Any]
    timeout: float = 120.0
    memory: int = 2048


def options_to_json(options: Options) -> dict[str, Any]:
    """Options as JSON values."""
    return asdict(options)


def options_from_json(values: Mapping[str, Any]) -> Options:
    """Options from the values that ``options_to_json`` gave: lists become tuples again."""
    places = values["places"]
    lists: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in places.items()}
    return Options(**{**values, "places": Places(**lists)})
