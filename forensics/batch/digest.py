"""A result in a handful of words: what a line of the batch shows, and what groups rest on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from forensics.batch.result import ScanResult
from forensics.record import record

#: What the status of an input that was not analysed is called.
_WORDS = {"failed": "failed", "timeout": "timed out", "died": "died"}

#: Fingerprints that begin so group nothing.
_UNKNOWN = "unknown"


@record
class Digest:
    """One input's answer, or that of one incident of it: then its number stands behind ``path``.

    ``verdict``: that of the best finding, else unexplained, no crash, failed, timed out
    or died. ``what``: the signature's id, or the kind of crash.
    """

    path: str
    verdict: str
    what: str = ""
    version: str = ""
    where: str = ""
    fingerprint: str = ""
    frames: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    first: bool = True

    @property
    def analysed(self) -> bool:
        """Whether there was a report."""
        return self.verdict not in _WORDS.values()

    @property
    def groups(self) -> bool:
        """Whether the fingerprint says enough to call two crashes equal."""
        return bool(self.fingerprint) and not self.fingerprint.startswith(_UNKNOWN)


def digest(result: ScanResult) -> Digest:
    """The result in short."""
    report = result.report
    if report is None:
        return Digest(result.path, _WORDS[result.status], error=result.error, hint=result.hint)
    crash, fingerprint = report.get("crash", {}), report.get("fingerprint", {})
    best = next(iter(report.get("findings", ())), None)
    return Digest(
        _path(result, report.get("process", {}).get("pid")),
        _verdict(report, best),
        best["signature"] if best else _kind(crash),
        report.get("process", {}).get("version", ""),
        _where(crash, fingerprint),
        fingerprint.get("stable", ""),
        tuple(fingerprint.get("frames", ())),
        first=result.first,
    )


def _path(result: ScanResult, pid: object) -> str:
    """The input, and which of its incidents: what ``--incident`` and ``--pid`` take."""
    if not result.incident:
        return result.path
    number = f", pid {pid}" if pid is not None else ""
    begins = f", in {os.path.basename(result.file)}" if result.file not in ("", result.path) else ""
    return f"{result.path} ({result.incident}{number}{begins})"


def _verdict(report: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    if best:
        return str(best["verdict"])
    crash = report.get("crash", {})
    nothing = crash.get("kind", _UNKNOWN) == _UNKNOWN and not crash.get("signal")
    known = report.get("fingerprint", {}).get("stable", _UNKNOWN) != _UNKNOWN
    return "no crash" if nothing and not known else "unexplained"


def _kind(crash: Mapping[str, Any]) -> str:
    kind = str(crash.get("kind", _UNKNOWN))
    return str(crash.get("signal", "")) if kind == _UNKNOWN else kind


def _where(crash: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    named = [str(crash[name]) for name in ("function", "source") if crash.get(name)]
    return ", ".join(named) or next(iter(fingerprint.get("frames", ())), "")
