"""What every test gets: a cache and a symbol store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests neither read nor write the user's cache of symbols."""
    directory = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", str(directory))
    monkeypatch.setenv("HAPROXY_FORENSICS_SYMBOLS", str(directory / "store"))
    return directory
