"""A start that was refused is no crash, and the report says which line refused it."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.api import crash_of_text, triage
from forensics.evidence.fact import REFUSED

TEXTS = Path(__file__).resolve().parents[1] / "logs/texts"


@pytest.mark.parametrize("release", ["2.2.9", "3.0.11", "3.4.7"])
def test_a_reload_with_a_bad_configuration(release: str) -> None:
    """The real words of three releases; the worker that ran goes on."""
    report = triage([str(TEXTS / f"{release}-bad-reload.log")])
    assert report.crash.kind == "unknown"
    (gap,) = [gap for gap in report.gaps if gap.subject == REFUSED]
    assert "it was refused, which is no crash: parsing [haproxy.cfg:" in gap.reason
    assert report.next_steps[0].startswith("Mend what kept HAProxy from starting: line ")
    assert "haproxy -c" in report.next_steps[1]


@pytest.mark.parametrize(
    "line",
    [
        "[ALERT] 328/135719 (9544) : Starting proxy y: cannot bind socket [192.0.2.77:81]",
        "[ALERT]    (9549) : Binding [a.cfg:3] for proxy y: protocol tcpv4: cannot bind socket (Address in use) for [::1:81].",
        "[ALERT] 328/135719 (9541) : parsing [/etc/haproxy/haproxy.cfg:3] : unknown keyword 'fronted'",
    ],
)
def test_the_first_complaint_counts(line: str) -> None:
    """What stands below it may follow from it."""
    crash = crash_of_text(f"{line}\n[ALERT]    (9) : config : parsing [b.cfg:99] : unknown keyword 'x'\n")
    (gap,) = [gap for gap in crash.gaps if gap.subject == REFUSED]
    assert gap.reason.startswith("line 1 of log")
    assert not crash.died
