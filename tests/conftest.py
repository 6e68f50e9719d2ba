"""What every test gets: a cache and a symbol store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests neither read nor write the user's caches of symbols, nor ask a server that the user knows."""
    directory = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", str(directory))
    monkeypatch.setenv("HAPROXY_FORENSICS_SYMBOLS", str(directory / "store"))
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(directory / "debuginfod"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return directory
