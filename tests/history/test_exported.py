"""The functions that HAProxy exports are those that its own call trace can name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from forensics.history.exported import is_exported

LAB = Path(__file__).parents[2] / ".lab" / "builds"
PACKAGED = Path("/usr/sbin/haproxy")


def test_functions_that_were_static_once_do_not_count() -> None:
    """2.6 has cli_io_handler() as a static function, 3.0 peer_io_handler()."""
    assert is_exported("process_stream") and is_exported("stktable_requeue_exp")
    assert not is_exported("cli_io_handler") and is_exported("cli_io_handler", recent=True)
    assert not is_exported("peer_io_handler", recent=True)
    assert not is_exported("cli_parse_request")


def test_functions_of_libraries_are_none() -> None:
    for name in ("abort", "memcpy", "epoll_wait", "SSL_read", "lua_pcallk", "?", ""):
        assert not is_exported(name)


@pytest.mark.parametrize("build", ["haproxy-2.6", "haproxy-2.8", "haproxy-3.0", "requeue-race-2.9.6"])
def test_no_static_function_of_a_build_counts_as_exported(build: str) -> None:
    executable = LAB / build / "haproxy"
    if not executable.exists():
        pytest.skip("the lab has no such build")
    lines = subprocess.run(
        ["nm", executable], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    static = {line.split()[2] for line in lines if line.split()[1:2] == ["t"]} - {"_init", "_fini"}
    assert [name for name in static if is_exported(name)] == []


def test_most_functions_of_the_packaged_executable_are_known() -> None:
    if not PACKAGED.exists():
        pytest.skip("no haproxy is installed")
    done = subprocess.run(
        ["nm", "-D", "--defined-only", PACKAGED], capture_output=True, text=True, check=True, timeout=60
    )
    names = [line.split()[2] for line in done.stdout.splitlines() if line.split()[1:2] == ["T"]]
    assert sum(map(is_exported, names)) > len(names) * 0.9
