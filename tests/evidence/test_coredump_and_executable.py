"""systemd-coredump's message and the executable that ran: the collector tells offsets, the executable has the names."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.api import Options, gather
from forensics.diagnosis.fingerprint import fingerprint
from forensics.evidence.fact import Crash, Fact
from forensics.symbols.find import Places
from samples import golden
from tests.diagnosis.witnesses import text_of, witnesses
from tests.unwind.test_gdb_oracle import LAB


def executable_of(build: str) -> Path:
    path = LAB / "builds" / build / "haproxy"
    if not path.exists():
        pytest.skip("the lab has no such build")
    return path


def told(tmp_path: Path, text: str, executable: Path) -> Crash:
    log = tmp_path / "coredump.txt"
    log.write_text(text)
    return gather([str(log)], Options(Places(executable=str(executable), sysroot=str(tmp_path))))[2]


NAMED = ("requeue-race-2.9.6", "sharding-with-peers-2.9.6")
FORMS = [each for each in witnesses() if each[0] in NAMED and each[1].endswith(("info", "journal"))]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_all_forms_of_the_message_have_the_stack_and_the_fingerprint_of_the_core(
    tmp_path: Path, name: str, form: str
) -> None:
    """With debug information the collector names inlined functions, without symbols no static ones."""
    found = told(tmp_path, text_of(name, form), executable_of(name))
    stack = found.get("stack")
    core = golden.crash(name, "core.zst").get("stack")
    assert isinstance(stack, Fact) and isinstance(core, Fact) and isinstance(core.value, tuple)
    physical = [entry for entry in core.value if not entry.startswith("[")]
    assert isinstance(stack.value, tuple) and list(stack.value)[: len(physical) - 2] == physical[:-2]
    assert fingerprint(found).stable == golden.document(name)["fingerprint"]["stable"]
    version = found.get("process.version")
    assert isinstance(version, Fact) and str(version.value).startswith("2.9.6") and version.trust == "derived"


def test_an_executable_of_another_build_names_nothing_and_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, text_of("requeue-race-2.9.6", "stripped.info"), executable_of("haproxy-2.6"))
    assert "?" in str(getattr(found.get("stack"), "value", ""))
    gap = next(gap for gap in found.gaps if gap.subject == "names of the stack")
    assert "is not the executable that ran" in gap.reason and "--exe" in gap.remedy


def test_addresses_of_an_executable_at_a_fixed_place_begin_where_its_file_is_mapped(tmp_path: Path) -> None:
    """The build of 2.8 is no PIE."""
    text = text_of("built-2.8-bug", "stripped.info")
    found = told(tmp_path, text, executable_of("haproxy-2.8"))
    stack = found.get("stack")
    assert isinstance(stack, Fact) and stack.value == (
        "debug_parse_cli_bug", "cli_parse_request", "cli_io_handler", "task_run_applet", "run_tasks_from_lists",
        "process_runnable_tasks", "run_poll_loop", "run_thread_poll_loop", "start_thread", "__clone3",
    )  # fmt: skip
