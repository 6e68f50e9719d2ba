"""Rotated files are one log, the oldest first."""

from __future__ import annotations

from forensics.logs.rotation import rotated_sets


def test_numbers_grow_with_age() -> None:
    """Compressed or not; the name alone is the youngest."""
    given = ["a/haproxy.log", "a/haproxy.log.1", "a/haproxy.log.10.gz", "a/haproxy.log.2.gz", "a/haproxy.log.3.zst"]
    expected = ["a/haproxy.log.10.gz", "a/haproxy.log.3.zst", "a/haproxy.log.2.gz", "a/haproxy.log.1", "a/haproxy.log"]
    assert rotated_sets(given) == [expected]


def test_dates_grow_with_time() -> None:
    """`dateext` of logrotate, and the kubelet's files."""
    assert rotated_sets(["haproxy.log", "haproxy.log-20240118.gz", "haproxy.log-20231231.gz"]) == [
        ["haproxy.log-20231231.gz", "haproxy.log-20240118.gz", "haproxy.log"]
    ]
    assert rotated_sets(["0.log", "0.log.20240118-112305.gz", "0.log.20240118-102305"]) == [
        ["0.log.20240118-102305", "0.log.20240118-112305.gz", "0.log"]
    ]


def test_other_names_and_other_places_are_other_logs() -> None:
    """In the order in which they were given."""
    given = ["b/haproxy.log", "a/haproxy.log.1", "a/haproxy.log", "kern.log", "-"]
    assert rotated_sets(given) == [["b/haproxy.log"], ["a/haproxy.log.1", "a/haproxy.log"], ["kern.log"], ["-"]]
