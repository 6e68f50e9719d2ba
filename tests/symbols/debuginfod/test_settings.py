"""No server is asked without consent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forensics.errors import UsageError
from forensics.symbols.debuginfod.cache import cache_folder
from forensics.symbols.debuginfod.settings import asked, configuration_path, settings_of
from forensics.symbols.places import DEFAULT_DEADLINE, Places
from tests.cli.running import run

URL = "http://127.0.0.1:9"
ON = Places(debuginfod=True)


def configure(text: str) -> None:
    path = Path(configuration_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_servers_in_the_environment_are_no_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked(Places())
    monkeypatch.setenv("DEBUGINFOD_URLS", URL)
    assert not asked(Places())
    for text, consent in (("debuginfod = true", True), ("debuginfod = false", False), ('debuginfod = "yes"', False)):
        configure(text)
        assert asked(Places()) is consent
    configure("debuginfod = true")
    monkeypatch.setenv("DEBUGINFOD_URLS", " ")
    assert not asked(Places())


def test_the_command_line_is_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(Places(debuginfod_urls=(URL,)))
    monkeypatch.setenv("DEBUGINFOD_URLS", f"{URL} ima:enforcing https://b {URL}")
    assert asked(ON)
    assert settings_of(ON).urls == (URL, "https://b")
    assert settings_of(Places(debuginfod_urls=("https://c",))).urls == ("https://c",)


@pytest.mark.parametrize("urls", ["", "file:///srv", "ftp://x", f"{URL} gopher://x", "nonsense"])
def test_without_a_usable_server_the_call_is_wrong(
    urls: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", urls)
    with pytest.raises(UsageError):
        settings_of(ON)
    ran = run(capsys, "triage", "--debuginfod", "core")
    assert ran.status == 2
    assert "hint:" in ran.err


def test_time_and_size_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(debuginfod_urls=(URL,))
    assert (settings_of(places).deadline, settings_of(places).max_size) == (DEFAULT_DEADLINE, 2 << 30)
    configure("debuginfod_timeout = 7")
    assert settings_of(places).deadline == 7
    assert settings_of(Places(debuginfod_urls=(URL,), debuginfod_deadline=3)).deadline == 3
    for text, size in (("1000", 1000), ("0", 2 << 30), ("-1", 2 << 30), ("x", 2 << 30), (str(1 << 50), 2 << 30)):
        monkeypatch.setenv("DEBUGINFOD_MAXSIZE", text)
        assert settings_of(places).max_size == size


@pytest.mark.parametrize("text", ["debuginfod = ", "\xff", "[" * 100_000])
def test_a_damaged_configuration_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure("")
    Path(configuration_path()).write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("DEBUGINFOD_URLS", URL)
    with pytest.raises(UsageError, match=r"config\.toml"):
        asked(Places())


def test_the_cache_is_the_one_of_elfutils(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``test_real.py`` asks ``debuginfod-find`` itself."""
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", "/a")
    assert cache_folder() == "/a"
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == "/x/debuginfod_client"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == f"{tmp_path}/.cache/debuginfod_client"
    os.mkdir(tmp_path / ".debuginfod_client_cache")
    assert cache_folder() == f"{tmp_path}/.debuginfod_client_cache"
