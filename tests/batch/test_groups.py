"""Equal crashes together, and what is no crash apart."""

from __future__ import annotations

from typing import Any

from forensics.batch.digest import Digest, digest
from forensics.batch.groups import KEPT, Groups
from forensics.batch.inputs import Ignored
from forensics.batch.lines import WIDTH, Columns, group_lines, input_line, summary
from forensics.batch.result import ScanResult


def crash(path: str, verdict: str = "unexplained", fingerprint: str = "e0b4a7979c68", version: str = "2.9.6") -> Digest:
    what = "bug_on" if verdict == "unexplained" else "stick-table/requeue-expiry-race"
    return Digest(path, verdict, what, version, "__task_queue", fingerprint, ("__task_queue", "stktable_requeue_exp"))


def grouped(*digests: Digest) -> Groups:
    groups = Groups()
    for one in digests:
        groups.add(one)
    return groups


def text_of(groups: Groups, width: int = WIDTH) -> str:
    return "\n".join(line.text for line in group_lines(groups, width))


def report(**crash: Any) -> dict[str, Any]:
    return {"crash": crash, "fingerprint": {"stable": "unknown", "frames": []}, "findings": [], "process": {}}


def test_the_biggest_group_stands_first_and_then_the_best_verdict() -> None:
    groups = grouped(
        crash("a", fingerprint="1"), crash("b", fingerprint="2"), crash("c", fingerprint="2"),
        crash("d", "possible", fingerprint="3"), crash("e", "probable", fingerprint="4"),
    ).biggest_first()  # fmt: skip
    assert [group.best.fingerprint for group in groups] == ["2", "4", "3", "1"]


def test_a_group_has_the_best_verdict_of_its_members_and_tells_what_each_says() -> None:
    groups = grouped(crash("a"), crash("b", "probable"), crash("c", "possible"), crash("d", "possible"))
    (group,) = groups.biggest_first()
    assert (group.count, group.best.verdict, group.best.path) == (4, "probable", "b")
    shown = text_of(groups)
    assert "4 x  at best probable" in shown
    assert "possible stick-table/requeue-expiry-race (2), unexplained bug_on (1)" in shown


def test_a_group_whose_members_agree_says_their_verdict_plainly() -> None:
    shown = text_of(grouped(crash("a", "probable"), crash("b", "probable")))
    assert "2 x  probable" in shown
    assert "verdicts" not in shown


def test_versions_are_counted() -> None:
    shown = text_of(
        grouped(crash("a"), crash("b", version="3.0.1"), crash("c", version="3.0.1"), crash("d", version=""))
    )
    assert "3.0.1 (2), 2.9.6 (1)" in shown


def test_a_fingerprint_that_says_too_little_groups_nothing() -> None:
    groups = grouped(crash("a", fingerprint="unknown"), crash("b", fingerprint="unknown-oom"))
    assert groups.biggest_first() == []
    assert (groups.alone_count, groups.crashes) == (2, 2)


def test_the_healthy_and_the_failed_stand_apart() -> None:
    groups = grouped(
        Digest("fine", "no crash"), Digest("bad", "failed", error="`bad` is empty", hint="look"), crash("a")
    )
    assert (groups.total, groups.crashes, groups.healthy_count, groups.failed_count) == (3, 1, 1, 1)
    shown = text_of(groups)
    assert "NO CRASH: 1\n  fine" in shown
    assert "COULD NOT BE ANALYSED: 1\n  bad\n        `bad` is empty\n        hint: look" in shown


def test_a_hundred_thousand_inputs_are_counted_but_not_kept() -> None:
    groups = Groups()
    for number in range(100_000):
        groups.add(crash(f"core.{number}"))
        groups.add(Digest(f"log.{number}", "no crash"))
    (group,) = groups.biggest_first()
    assert (group.count, len(group.inputs)) == (100_000, KEPT)
    assert (groups.healthy_count, len(groups.healthy)) == (100_000, KEPT)
    assert "and 99980 more" in text_of(groups)


def test_a_digest_tells_a_healthy_process_from_an_unexplained_death() -> None:
    assert digest(ScanResult("a", "analysed", report(kind="unknown"))).verdict == "no crash"
    assert digest(ScanResult("a", "analysed", report(kind="unknown", signal="SIGSEGV"))).verdict == "unexplained"
    assert digest(ScanResult("a", "analysed", report(kind="oom"))).verdict == "unexplained"
    assert digest(ScanResult("a", "timeout", None, "late")).verdict == "timed out"


def test_a_document_with_nothing_in_it_has_a_digest() -> None:
    assert digest(ScanResult("a", "analysed", {})) == Digest("a", "no crash")


def test_lines_are_no_wider_than_they_should_be_and_columns_stand_below_each_other() -> None:
    long = crash("d" * 300 + "/core", version="9" * 80)
    for width in (10, 80, 100, WIDTH, 500):
        lines = [input_line(each, Columns.of(width)).text for each in (crash("a"), long)]
        assert max(map(len, lines)) <= max(80, min(200, width))
        assert len({line.index("e0b4a7979c68") for line in lines}) == 1


def test_a_long_path_is_shown_by_its_end() -> None:
    assert input_line(crash("x" * 100 + "/core.zst"), Columns.of(100)).text.split()[0].endswith("xxx/core.zst")


def test_names_that_act_on_a_terminal_are_neutralised() -> None:
    evil = "a\n\x1b]0;owned\x07\x1b[31m\u202e\x9bb\udcff"
    one, failed = crash(evil), Digest(evil, "failed", error=f"`{evil}` is empty", hint=evil)
    groups = grouped(one, failed, Digest(evil, "no crash", version=evil), crash(evil, fingerprint="unknown"))
    shown = "\n".join([*(input_line(each, Columns.of(WIDTH)).text for each in (one, failed)), text_of(groups)])
    assert all(each == "\n" or each.isprintable() or each == "\ufffd" for each in shown)
    assert shown.encode()


def test_the_summary_counts_everything() -> None:
    ignored = Ignored()
    ignored.add("x", "empty")
    text = summary(grouped(crash("a"), Digest("b", "no crash"), Digest("c", "died")), ignored)
    assert text == (
        "3 inputs, 2 analysed, 1 could not be; 1 with a crash, 1 without\nignored in directories: empty (1)\n"
    )
