"""The command line as a whole: names, help, completion, wrong usage."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forensics import __version__
from forensics.cli import commands
from tests.cli.running import run

PLAIN = [name for name in commands.COMMANDS if not commands.members_of(name)]
MODULES = {path.stem for path in Path(commands.__file__).parent.glob("*.py")}


@pytest.mark.parametrize("name", PLAIN)
def test_every_command_has_a_module_that_describes_configures_and_runs(name: str) -> None:
    command = commands.module_of(name)
    assert command.DESCRIPTION.strip()
    assert callable(command.run)
    options = [option for action in commands.parser_of(name)._actions for option in action.option_strings]
    assert len(options) == len(set(options))


def test_every_module_with_a_description_is_listed() -> None:
    folder = Path(commands.__file__).parent
    described = {name for name in MODULES if "\nDESCRIPTION = " in (folder / f"{name}.py").read_text()}
    assert described - {"commands"} == {name.replace(" ", "_") for name in PLAIN}


@pytest.mark.parametrize("name", ["", *commands.COMMANDS])
def test_help_fits_a_terminal(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = run(capsys, *name.split(), "--help")
    assert ran.status == 0
    assert ran.out.startswith("Usage: haproxy-forensics")
    assert max(map(len, ran.out.splitlines())) <= 100  # descriptions stand as they are written


@pytest.mark.parametrize("group", ["", "signatures", "symbols", "triage", "backtrace", "scan"])
def test_without_arguments_the_help_is_shown_as_an_error(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *group.split())
    assert (ran.status, ran.out) == (2, "")
    assert "Usage: " in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("diagnose",), "no command `diagnose`"),
        (("symbols", "burn"), "no command `symbols burn`"),
        (("triage", "core", "--format", "pdf"), "invalid choice: 'pdf'"),
        (("triage", "core", "--form", "json"), "unrecognized arguments"),
        (("scan", "x", "--jobs", "0"), "0 is below 1"),
        (("scan", "x", "--timeout", "nan"), "nan is below"),
        (("scan", "x", "--memory", "much"), "invalid number value"),
        (("--nothing",), "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_said_with_status_2(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run(capsys, *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert "hint: " in ran.err


def test_options_may_stand_between_inputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ran = run(capsys, "triage", str(tmp_path / "a"), "--format", "json", str(tmp_path / "b"))
    assert ran.status == 1
    assert f"cannot open `{tmp_path}/a`" in ran.err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version").out == f"haproxy-forensics {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = run(capsys, "completion", shell).out
    assert script
    for word in ("triage", "backtrace", "verify", "sysroot", "fail-unless"):
        assert word in script


def test_bash_completes_what_was_begun(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "completion"
    script.write_text(run(capsys, "completion", "bash").out)
    asked = """
    source "$1"; COMP_WORDS=(haproxy-forensics tri); COMP_CWORD=1
    function=$(complete -p haproxy-forensics | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    "$function" haproxy-forensics tri haproxy-forensics; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run([bash, "-c", asked, "bash", str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["triage"]


def test_a_command_imports_no_other() -> None:
    program = "import sys, forensics.cli.main as m; m.parser_of('backtrace'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "forensics.cli.backtrace" in loaded
    assert not loaded & {"forensics.cli.scan", "forensics.cli.triage", "dataclasses", "rich", "shtab", "inspect"}
