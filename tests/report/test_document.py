"""The document: its names, its JSON, its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from forensics.absence import Absence
from forensics.diagnosis.finding import Diagnosis, Fingerprint
from forensics.report.document import CrashSummary, Report, StackFrame, Thread, group_threads, with_diagnosis
from forensics.report.render_json import render_json, render_json_line, to_json_dict
from forensics.report.schema import report_schema
from forensics.unwind.frame import Frame, ThreadStack
from tests.report import documents

#: Every name of the contract, as paths; a list is walked into by its first element.
CONTRACT = """
schema_version tool.version tool.signatures_version inputs.path inputs.kind inputs.sha256 inputs.size inputs.truncated
process.version process.release_date process.build_id process.executable process.command_line process.pid
process.threads process.features process.platform
crash.kind crash.signal crash.code crash.address crash.condition crash.source crash.thread.lwp crash.thread.number
crash.time crash.explanation
threads.lwp threads.number threads.crashed threads.state threads.frames.index threads.frames.pc
threads.frames.function threads.frames.offset threads.frames.file threads.frames.line threads.frames.module
threads.frames.inlined threads.frames.trust threads.frames.status
thread_groups.count thread_groups.lwps thread_groups.frames state
findings.signature findings.title findings.class findings.verdict findings.evidence.fact findings.evidence.value
findings.evidence.source findings.evidence.supports findings.affected findings.fixed_in findings.upgrade_to
findings.explanation findings.remedy findings.workaround findings.references
excluded.signature excluded.because excluded.evidence
candidate_fixes.commit candidate_fixes.severity candidate_fixes.fixed_in candidate_fixes.because
fingerprint.exact fingerprint.stable fingerprint.frames gaps.subject gaps.reason gaps.remedy next_steps
disagreements.subject disagreements.core disagreements.log disagreements.note
modules.path modules.build_id modules.status modules.tried
""".split()


def properties(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The members of a node of the schema, whatever it is wrapped in."""
    if "anyOf" in node:
        node = next(each for each in node["anyOf"] if each.get("type") != "null")
    if node.get("type") == "array":
        node = node["items"]
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return dict(node.get("properties", {}))


@pytest.mark.parametrize("path", CONTRACT)
def test_every_name_of_the_contract_is_in_the_schema(path: str) -> None:
    """Scripts depend on these names."""
    schema = report_schema()
    node: dict[str, Any] = schema
    for name in path.split("."):
        node = properties(schema, node)[name]


@pytest.mark.parametrize("name", documents.ALL)
def test_every_document_is_valid_in_both_schemas(name: str) -> None:
    """The strict one is for tests, the open one for readers."""
    document = to_json_dict(documents.ALL[name]())
    jsonschema.Draft202012Validator(report_schema()).validate(document)
    if name != "hostile":  # its words are in no closed list, which a tolerant reader accepts
        jsonschema.Draft202012Validator(report_schema(strict=True)).validate(document)


def test_the_strict_schema_catches_an_unknown_member_and_an_unknown_word() -> None:
    """Otherwise the test above would prove nothing."""
    strict = jsonschema.Draft202012Validator(report_schema(strict=True))
    assert not strict.is_valid({**to_json_dict(Report()), "surprise": 1})
    assert not strict.is_valid(to_json_dict(Report(crash=CrashSummary("surprise"))))


def test_a_reader_of_this_version_accepts_members_of_a_later_one() -> None:
    """Minor versions add names."""
    assert jsonschema.Draft202012Validator(report_schema()).is_valid({**to_json_dict(Report()), "surprise": 1})


def test_both_schemas_are_schemas() -> None:
    """Held against the dialect they name."""
    for strict in (False, True):
        jsonschema.Draft202012Validator.check_schema(report_schema(strict))


@pytest.mark.parametrize("name", documents.ALL)
def test_rendering_twice_gives_the_same_bytes(name: str) -> None:
    """Reports are compared and kept under version control."""
    made = documents.ALL[name]
    assert render_json(made()).encode() == render_json(made()).encode()


def test_the_line_for_json_lines_is_one_line_with_the_same_content() -> None:
    """Line separators inside strings included."""
    line = render_json_line(documents.hostile())
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(render_json(documents.hostile()))


def test_json_keeps_letters_and_escapes_what_acts_on_a_terminal() -> None:
    """People print JSON on terminals too."""
    text = render_json(Report(next_steps=("é \x1b[31m \x9b2J \u202e \udcff",)))
    assert "é" in text
    assert not set(text) & {"\x1b", "\x9b", "\u202e"}
    assert json.loads(text)["next_steps"] == ["é \x1b[31m \x9b2J \u202e \\udcff"]


def test_addresses_are_hex_strings_and_offsets_are_numbers() -> None:
    """64 bits do not fit into the numbers of every reader."""
    report = Report(crash=CrashSummary(address=16), threads=(Thread(frames=(StackFrame(pc=4096, offset=7),)),))
    document: Any = to_json_dict(report)
    assert document["crash"]["address"] == "0x10"
    assert document["threads"][0]["frames"][0]["pc"] == "0x1000"
    assert document["threads"][0]["frames"][0]["offset"] == 7


def test_a_zero_address_is_there_and_an_unknown_one_is_not() -> None:
    """Address 0 is the most telling of all."""
    zero: Any = to_json_dict(Report(crash=CrashSummary(address=0)))
    unknown: Any = to_json_dict(Report())
    assert zero["crash"]["address"] == "0x0"
    assert "address" not in unknown["crash"]


def test_an_unexplained_crash_has_empty_findings_not_none() -> None:
    """A script may count them without asking first."""
    assert to_json_dict(Report())["findings"] == []


def test_an_unknown_affected_is_null() -> None:
    """Neither yes nor no."""
    document: Any = to_json_dict(Report(findings=(replace(documents.requeue_race(), affected=None),)))
    assert document["findings"][0]["affected"] is None


def test_equal_stacks_are_one_group_and_the_crashed_one_comes_first() -> None:
    """Then the most frequent."""
    groups = group_threads(documents.complete().threads)
    assert [group.count for group in groups] == [1, 3]
    assert groups[0].lwps == (4243,)
    assert groups[1].frames[0] == "epoll_wait"


def test_a_frame_without_a_name_is_module_and_offset() -> None:
    """As addr2line wants it."""
    assert StackFrame(module="/usr/sbin/haproxy", offset=0x1A2B3C).name == "haproxy+0x1a2b3c"
    assert StackFrame(pc=0x10).name == "0x10"
    assert StackFrame().name == "?"


def test_an_unwound_stack_becomes_a_thread_of_the_document() -> None:
    """Line 0 is no line."""
    frame = Frame(0, 16, "f", "f.isra.0", 4, "src/f.c", 0, "/x", True, "cfi", "symbolicated")
    thread = Thread.of(ThreadStack(1, 2, True, (frame,), "end"), "waiting")
    assert thread == Thread(
        1, 2, True, "waiting", (StackFrame(0, 16, "f", 4, "src/f.c", None, "/x", True, "cfi", "symbolicated"),), "end"
    )


def test_a_diagnosis_fills_its_part_of_the_report() -> None:
    """And leaves the rest as it was."""
    report = with_diagnosis(
        Report(gaps=(Absence("a", "b"),)), Diagnosis(next_steps=("x",), fingerprint=Fingerprint("e", "s"))
    )
    assert (report.next_steps, report.fingerprint.stable, len(report.gaps)) == (("x",), "s", 1)
