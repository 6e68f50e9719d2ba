"""The history of a thread's locks: eight bytes, and labels that differ by release."""

from __future__ import annotations

import pytest

from forensics.haproxy.locks.history import held_of, lock_labels, steps_of
from tests.oracles.dying import died, opened

pytestmark = [pytest.mark.xdist_group("haproxy")]

LABELS = {0: "TASK_RQ", 4: "SERVER", 5: "LBPRM", 31: "QUEUE", 2: "LISTENER"}


def test_the_lowest_byte_is_the_newest_step() -> None:
    # ha_thread_ctx[0].lock_history of Debian's 3.2.26, which printed the same as text.
    steps = steps_of(0x1B1B188280140D0C, LABELS)
    shown = "W:LBPRM W:LBPRM U:LBPRM S:QUEUE U:QUEUE U:SERVER R:LISTENER U:LISTENER"
    assert " ".join(one.words for one in steps) == shown
    assert held_of(steps) == ()


def test_a_lock_whose_newest_step_is_no_release_is_held() -> None:
    # W:SERVER R:LISTENER U:LISTENER S:QUEUE: the listener's was released.
    assert [one.words for one in held_of(steps_of(0x170D0C82, LABELS))] == ["W:SERVER", "S:QUEUE"]
    assert [one.words for one in held_of(steps_of(0x0D, LABELS))] == ["R:LISTENER"]
    assert held_of(steps_of(0x0D0C, LABELS)) == ()


def test_labels_without_a_name_keep_their_number() -> None:
    assert [one.words for one in steps_of(0xFD, LABELS)] == ["R:label 62"]
    assert steps_of(0, LABELS) == ()


@pytest.mark.parametrize(("name", "queue", "idle"), [("package-3.2", 31, 36), ("package-3.4", 30, 35)])
def test_the_strings_of_the_executable_tell_which_labels_it_has(name: str, queue: int, idle: int) -> None:
    core, _log = died(name, "debug dev panic")
    labels = lock_labels(opened(core, name).space)
    # As lock_hist of these builds showed for the same bytes.
    assert (labels[queue], labels[idle], labels[0], labels[2]) == ("QUEUE", "IDLE_CONNS", "TASK_RQ", "LISTENER")


def test_a_build_without_history_has_no_labels() -> None:
    core, _log = died("package-3.0", "debug dev panic")
    assert lock_labels(opened(core, "package-3.0").space) == {}
