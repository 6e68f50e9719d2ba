"""`show libs`: to the byte what a live process tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.show import libs
from samples import golden
from tests.show.conftest import Taken

pytestmark = [pytest.mark.xdist_group("haproxy")]


@pytest.mark.parametrize("name", ["haproxy-2.6", "haproxy-2.8", "haproxy-3.0", "package-3.2", "package-3.4"])
def test_a_live_process_and_its_core_tell_the_same(name: str, taken: Callable[[str], Taken]) -> None:
    process = taken(name)
    assert process.lines("libs") == process.live("show libs")
    assert process.lines("libs", symbols=False) == process.live("show libs")


def test_what_the_linker_does_not_know_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Taken({}, str(golden.SAMPLES / "segfault-2.6.12/core.zst"), "")
    sound = process.lines("libs", symbols=False)
    monkeypatch.setattr(libs, "linked_libraries", lambda _memory, _auxv: iter(()))
    lost = process.lines("libs", symbols=False)
    # By address, and under the names of the files.
    assert lost[0] == sound[0]
    assert len(lost) == len(sound)
    assert [line.split()[0] for line in lost[1:]] == sorted(line.split()[0] for line in sound[1:])
