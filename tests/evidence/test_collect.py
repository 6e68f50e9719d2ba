"""One failing collector becomes a gap and never stops the rest; contradictions are found."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.evidence.agreement import contradictions
from forensics.evidence.collect import collect
from forensics.evidence.fact import Crash, Fact, FactValue
from forensics.source import Source


def fact(name: str, value: FactValue, source: str = "core") -> Fact:
    return Fact(name, value, Source(source, ""))


def broken() -> Iterator[Fact | Absence]:
    raise ZeroDivisionError("no luck")


def test_a_failing_collector_becomes_a_gap_and_the_others_go_on() -> None:
    crash = collect([("first", broken), ("second", lambda: iter([fact("crash.kind", "bug_on")]))])
    assert [one.name for one in crash.facts] == ["crash.kind"]
    assert crash.gaps[0].subject == "first"
    assert "ZeroDivisionError: no luck" in crash.gaps[0].reason


def test_a_fact_outside_the_catalogue_is_a_failing_collector() -> None:
    crash = collect([("first", lambda: iter([fact("no.such.fact", 1)]))])
    assert "not in the catalogue" in crash.gaps[0].reason


def test_what_another_witness_tells_is_no_gap() -> None:
    crash = collect([("a", lambda: iter([Absence("stack", "none")])), ("b", lambda: iter([fact("stack", ("f",))]))])
    assert crash.gaps == ()


def subjects(*facts: Fact) -> list[str]:
    return [one.subject for one in contradictions(Crash.of(facts))]


def test_different_versions_contradict_and_longer_forms_of_one_do_not() -> None:
    assert subjects(fact("process.version", "2.9.6"), fact("process.version", "2.9.7", "log")) == ["version"]
    assert subjects(fact("process.version", "2.9.6"), fact("process.version", "2.9.6-9eafce5", "log")) == []
    assert subjects(fact("process.version", "2.9.1"), fact("process.version", "2.9.12", "log")) == ["version"]


def test_stacks_contradict_only_where_no_single_stack_could_be_behind_both() -> None:
    core = fact("stack", ("__task_queue", "[_task_queue]", "stktable_requeue_exp", "static_one", "process_stream"))
    assert subjects(core, fact("stack", ("__task_queue", "stktable_requeue_exp", "?", "process_stream"), "log")) == []
    assert subjects(core, fact("stack", ("__task_queue", "listener_accept"), "log")) == [
        "functions of the crashed thread"
    ]
    stripped = fact("stack", ("?", "task_run_applet"))
    assert subjects(stripped, fact("stack", ("?", "process_stream"), "log")) == ["functions of the crashed thread"]
    assert subjects(stripped, fact("stack", ("debug_parse_cli_bug", "task_run_applet"), "log")) == []


def test_an_unknown_kind_contradicts_nothing() -> None:
    assert subjects(fact("crash.kind", "bug_on"), fact("crash.kind", "unknown", "log")) == []
    assert subjects(fact("crash.kind", "bug_on"), fact("crash.kind", "watchdog", "log")) == ["how it died"]


def test_conditions_are_compared_without_their_blanks() -> None:
    assert subjects(fact("crash.condition", "a == 0"), fact("crash.condition", "a==0", "log")) == []
