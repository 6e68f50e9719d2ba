"""The master's words about its children."""

from __future__ import annotations

import pytest

from tests.logs.shapes.facts import check

PREFIXES = {
    "2.3": "[ALERT] 083/003912 (44441) : Current worker #1 (44443) exited with code 139 (Segmentation fault)",
    "2.4": "[ALERT]    (24661) : Current worker (24663) exited with code 139 (Segmentation fault)",
    "former": "[WARNING]  (1) : Former worker (7) exited with code 139 (Segmentation fault)",
    "former 2.4": "[WARNING] 083/003912 (1) : Former worker #2 (7) exited with code 139 (Segmentation fault)",
    "reloads": "[WARNING]  (1) : Former worker (7) exited with code 139 (Segmentation fault), as it exceeds max reloads (2)",
    "load": "[ALERT]    (1) : Failed to load worker (7) exited with code 139 (Segmentation fault)",
}


@pytest.mark.parametrize("name", PREFIXES)
def test_a_workers_end_is_a_death_however_harmless_it_looks(name: str) -> None:
    check(PREFIXES[name] + "\n", {"crash.signal": "SIGSEGV"})


@pytest.mark.parametrize(
    ("code", "signal"),
    [(132, "SIGILL"), (134, "SIGABRT"), (135, "SIGBUS"), (136, "SIGFPE"), (137, "SIGKILL"), (139, "SIGSEGV")],
)
def test_exit_codes_are_signals(code: int, signal: str) -> None:
    """Though musl's or another locale's words for it are unknown."""
    check(f"[ALERT]    (1) : Current worker (7) exited with code {code} (whatever)\n", {"crash.signal": signal})


@pytest.mark.parametrize("code", [0, 1, 130, 143])
def test_ordinary_ends_are_none(code: int) -> None:
    text = (
        f"[ALERT]    (1) : Current worker (7) exited with code {code} (Exit)\n"
        "[WARNING]  (1) : A worker process unexpectedly died and this can only be explained by a bug in haproxy or its"
        " dependencies.\n"
        "Please check that you are running an up to date and maintained version of haproxy and open a bug report.\n"
        "HAProxy version 3.0.11-1 2025/06/03 - https://haproxy.org/\n"
        "Status: long-term supported branch - will stop receiving fixes around Q2 2029.\n"
        "Running on: Linux 6.1.0 #1 SMP x86_64\n"
    )
    check(text, {"crash.kind": None, "stack": None, "process.version": "3.0.11-1"})
