"""Which assertion it was: code and counters, each alone, together, and against each other."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.counters import Counter, Counters
from forensics.haproxy.death.failed_check import BY_BOTH, BY_CODE, BY_COUNTER, FailedCheck, failed_check

A = 'FATAL: bug condition "a" matched at src/a.c:1'
B = 'FATAL: bug condition "b" matched at src/b.c:2'
ABORT = "ABORT at src/c.c:3: on purpose"
NONE = Absence("counters of checks", "the executable has none")


def hit(file: str, line: int, *, kind: str = "bug", fatal: bool | None = True) -> Counter:
    return Counter(kind, file, line, "f", file[4], "", 1, fatal)


def counters(*hits: Counter) -> Counters:
    return Counters(hits, 100, 0x1000)


def test_one_sentence_is_the_answer() -> None:
    assert failed_check((A,), NONE) == FailedCheck(A, BY_CODE)
    assert failed_check((A,), counters(hit("src/a.c", 1))) == FailedCheck(A, BY_BOTH)
    assert failed_check((ABORT,), counters()) == FailedCheck(ABORT, BY_CODE), "ABORT_NOW counts nothing"


def test_several_sentences_are_candidates_in_their_order() -> None:
    assert failed_check((A, B), NONE) == FailedCheck(candidates=(A, B))
    assert failed_check((A, B, ""), NONE) == FailedCheck(candidates=(A, B))
    assert failed_check((A, ""), NONE) == FailedCheck(candidates=(A,))
    assert failed_check((), NONE) == FailedCheck()


def test_the_counter_decides_between_candidates() -> None:
    assert failed_check((A, B), counters(hit("src/b.c", 2))) == FailedCheck(B, BY_COUNTER)
    assert failed_check((A, B, ""), counters(hit("src/b.c", 2))) == FailedCheck(B, BY_COUNTER)


def test_what_counted_stands_first_where_two_threads_failed() -> None:
    two = counters(hit("src/b.c", 2), hit("src/a.c", 1))
    assert failed_check((A, B), two) == FailedCheck(candidates=(A, B))
    assert failed_check((A, B), counters()) == FailedCheck(candidates=(A, B))


def test_the_counter_alone_tells_where_the_code_does_not() -> None:
    assert failed_check((), counters(hit("src/a.c", 1))) == FailedCheck(A, BY_COUNTER)
    assert failed_check((B, ""), counters(hit("src/a.c", 1))) == FailedCheck(A, BY_COUNTER)


def test_a_warning_that_matched_before_ended_nothing() -> None:
    assert failed_check((), counters(hit("src/a.c", 1, fatal=False))) == FailedCheck()
    assert failed_check((), counters(hit("src/a.c", 1, kind="count", fatal=False))) == FailedCheck()


def test_a_check_of_which_nothing_says_that_it_is_fatal_is_a_candidate_only() -> None:
    assert failed_check((), counters(hit("src/a.c", 1, fatal=None))) == FailedCheck(candidates=(A,))


def test_code_and_counters_that_differ_are_said_to() -> None:
    found = failed_check((A,), counters(hit("src/b.c", 2)))
    assert found.sentence == A
    assert "do not show that this check matched; they name src/b.c:2" in found.contradiction
    assert "they name no other" in failed_check((A,), counters()).contradiction
