"""The part of the catalogue for what a process wrote before it died (from_report.py, from_log.py)."""

from __future__ import annotations

from forensics.evidence.fact_kind import FactKind
from forensics.evidence.supplies import THE_LOG

REPORT_FACTS: tuple[FactKind, ...] = (
    FactKind("spinning.object", "what was spinning", "str", "type of the object: STREAM, APPCTX, CONN_STREAM", THE_LOG),
    FactKind("spinning.rate", "calls per second", "int", "how often it was called in a second, at last", THE_LOG),
    FactKind("spinning.frontend", "frontend of the stream", "str", "frontend of the stream that was spinning", THE_LOG),
    FactKind(
        "spinning.backend",
        "backend of the stream",
        "str",
        "backend of the stream that was spinning, `<NONE>` for none",
        THE_LOG,
    ),
    FactKind("spinning.applet", "handler of the applet", "str", "function of the applet that was spinning", THE_LOG),
    FactKind(
        "spinning.analysers",
        "analysers that wait",
        "list",
        "bits of the analysers of `request` and `response` of the stream that was spinning",
        THE_LOG,
    ),
    FactKind(
        "warnings.checks",
        "checks that failed before",
        "list",
        "WARN_ON and CHECK_IF that matched before the death, as `kind CONDITION at FILE:LINE`",
        THE_LOG,
    ),
    FactKind(
        "warnings.blocked_traffic",
        "warnings of blocked traffic",
        "int",
        "warnings about a thread that stopped processing traffic, before the death (3.1 on)",
        THE_LOG,
    ),
)
