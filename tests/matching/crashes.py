"""Crashes and signatures in one line each, for the tests of matching."""

from __future__ import annotations

from typing import Any

from forensics.evidence.fact import Crash, Fact
from forensics.matching.load import parse_signature
from forensics.matching.signature import Signature
from forensics.source import Source

#: Facts by name, as one witness gives them.
Facts = dict[str, Any]

FILE: dict[str, Any] = {
    "title": "A crash for tests",
    "class": "bug",
    "status": "tested",
    "references": ["https://example.org/1"],
    "affects": ["2.9.0..2.9.6"],
    "fixed_in": ["2.9.7"],
    "explanation": "It happens.",
    "remedy": "Upgrade to 2.9.7.",
    "workaround": "None.",
    "lookalikes": [{"what": "Another crash", "tell": "It looks otherwise."}],
    "match": {"all": [{"fact": "stack", "frames": ["boom", "..."]}]},
}


def signature(**changes: Any) -> Signature:
    """The signature of tests, with some fields changed; ``all``, ``any`` and ``none`` are those of ``match``."""
    groups = {name: changes.pop(name) for name in ("all", "any", "none") if name in changes}
    return parse_signature("tests/boom", {**FILE, **changes, **({"match": groups} if groups else {})})


def crash(*witnesses: Facts) -> Crash:
    """A crash of these facts, each table one witness, the most trusted first."""
    return Crash.of(
        Fact(name, value, Source(f"witness {number}", name))
        for number, facts in enumerate(witnesses)
        for name, value in facts.items()
    )
