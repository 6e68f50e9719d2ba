"""Text, terminal and Markdown: what a reader sees first, and what a hostile input cannot do."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from forensics.absence import Absence
from forensics.diagnosis.finding import Answer, Evidence, Exclusion, Question
from forensics.report.document import CrashSummary, DatedAssertion, Process, Report, StackFrame, Thread
from forensics.report.markdown import render_markdown
from forensics.report.markup import cell, code, fenced, prose
from forensics.report.render_json import to_json_dict
from forensics.report.safe_text import one_line, paragraphs
from forensics.report.terminal import print_report
from forensics.report.text import render_text
from tests.report import documents

#: A terminal of the old kind, and what fits on it.
SCREEN = 24


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """True, as for a terminal."""
        return True


@pytest.mark.parametrize("name", documents.ALL)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_asked_for(name: str, width: int) -> None:
    """Hostile words without spaces included."""
    assert max(map(len, render_text(documents.ALL[name](), width).split("\n"))) <= width


@pytest.mark.parametrize("width", [1, 79, 121, 100_000])
def test_a_width_out_of_bounds_becomes_the_nearest(width: int) -> None:
    """Longer lines are hard to read, shorter ones break the columns."""
    bounded = 80 if width < 80 else 120
    assert render_text(documents.complete(), width) == render_text(documents.complete(), bounded)


def test_the_first_screen_says_what_died_why_what_to_do_and_how_sure() -> None:
    """All on one small terminal."""
    screen = "\n".join(render_text(documents.complete(), 100).split("\n")[:SCREEN])
    wanted = ["2.9.6", "BUG_ON", "SIGILL", "task->expire == 0", "__task_queue", "src/task.c:285", "CONFIRMED"]
    wanted += ["stick-table/requeue-expiry-race", "Upgrade to 2.9.15", "nbthread 1", "HOW SURE"]
    assert [each for each in wanted if each not in screen] == []


def test_the_first_screen_warns_of_a_cut_core_and_of_disagreeing_witnesses() -> None:
    """They weaken the answer, so they stand beside it."""
    screen = "\n".join(render_text(documents.complete(), 100).split("\n")[:SCREEN])
    assert "core.haproxy.4242 is cut short (50.0 MiB missing)" in screen
    assert "core and log disagree on number of threads" in screen


def test_a_crash_that_nothing_explains_says_so_and_names_leads_as_leads() -> None:
    """Never a guess dressed as an answer."""
    text = render_text(documents.unexplained(), 100)
    assert "NO KNOWN CRASH MATCHES" in text
    assert "leads, nothing proven" in text
    assert "HOW SURE" not in text


def test_a_possible_finding_is_told_as_a_condition() -> None:
    """Its explanation is not known to be true."""
    assert "If it is this one: Two threads" in render_text(documents.from_log_alone(), 100)


def test_a_report_that_knows_nothing_still_reads() -> None:
    """Every part of a report may be missing."""
    assert render_text(Report()).startswith("HAProxy died, and what was read does not say how\n")


def test_evidence_names_its_source_and_its_side() -> None:
    """So that a reader can go and check."""
    text = render_text(documents.complete(), 100)
    assert "  + check that failed: task->expire == 0\n      haproxy-worker.log: line 3 (bug line)\n" in text
    assert "  - functions, innermost first: __task_queue <- stktable_requeue_exp\n" in text


def test_what_the_line_of_a_check_tells_is_shown_as_a_hint() -> None:
    """Function and releases come from the releases, and from no witness of this crash."""
    told = DatedAssertion("__task_queue", ("2.9-dev3..2.9.6", "3.0-dev1"), "derived", "assertions of the releases")
    crash = CrashSummary("bug_on", condition="task->expire == 0", source="src/task.c:285", assertion=told)
    text = render_text(Report(crash=crash), 100)
    assert "\nwhere     src/task.c:285\n" in text
    assert "\ninside    __task_queue(), by the line of the check; a hint, no frame\n" in text
    assert "\nrelease   one of 2.9-dev3..2.9.6, 3.0-dev1, by the line of the check\n" in text
    assert "| Release | `one of 2.9-dev3..2.9.6, 3.0-dev1, by the line of the check` |" in render_markdown(
        Report(crash=crash)
    )
    moved = replace(crash, assertion=DatedAssertion("", ("2.9.0..2.9.6",), "assumed", "no such line"))
    assert "one of 2.9.0..2.9.6, by the check, not its line (no such line)" in render_text(Report(crash=moved), 100)


def test_the_call_trace_of_a_log_is_no_other_thread() -> None:
    """It has no kernel id by which to know it."""
    frames = (StackFrame(0, function="__task_queue", file="src/task.c", line=285, status="symbolicated"),)
    text = render_text(Report(threads=(Thread(crashed=True, frames=frames),)), 100)
    assert " > #0   __task_queue  src/task.c:285\n" in text
    assert "OTHER THREADS" not in text


def test_equal_stacks_are_shown_once_and_the_crashed_one_is_not_among_the_others() -> None:
    """64 waiting threads are one line."""
    text = render_text(documents.complete(), 100)
    assert text.count("epoll_wait") == 1
    assert "  3 threads (kernel ids" in text


def test_the_culprit_is_marked_below_the_frames_of_dying() -> None:
    """By a sign, since colour may be off."""
    text = render_text(documents.complete(), 100)
    assert "\n   #0   raise " in text
    assert "\n > #1   __task_queue " in text


def test_frames_without_names_are_module_and_offset() -> None:
    """A stripped binary gives nothing better."""
    assert " > #1   haproxy+0x1a2b3d\n" in render_text(documents.unexplained())


def test_frames_that_were_guessed_are_marked_and_the_mark_is_explained() -> None:
    """A sign without its meaning is noise."""
    thread = Thread(1, 1, True, "", (StackFrame(0, 1, "a"), StackFrame(1, 2, "b", trust="scan")))
    text = render_text(Report(threads=(thread,)))
    assert "   ? #1   b" not in text
    assert " ? #1   b" in text
    assert "found by searching the stack, may be wrong" in text


def test_a_deep_stack_shows_its_top_and_its_bottom() -> None:
    """Endless recursion must not fill the screen."""
    frames = tuple(StackFrame(at, at, f"f{at}") for at in range(500))
    text = render_text(Report(threads=(Thread(1, 1, True, "", frames),)))
    assert "... 466 frames left out" in text
    assert "#499" in text


def acting(text: str) -> set[str]:
    """Characters that act on a terminal, the end of a line aside."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n"}


@pytest.mark.parametrize("render", [render_text, render_markdown])
def test_nothing_that_acts_on_a_terminal_is_left(render: object) -> None:
    """Whole escape sequences go, not only their first byte."""
    assert callable(render)
    text = render(documents.hostile())
    assert acting(text) == set()
    assert "owned" not in text  # the title that the escape sequence would have set


def test_a_megabyte_in_one_value_is_cut() -> None:
    """The rest is in nobody's interest."""
    assert len(render_text(documents.hostile())) < 60_000
    assert len(render_markdown(documents.hostile())) < 60_000


def test_importing_the_plain_renderings_does_not_import_rich() -> None:
    """It would cost more than the rendering."""
    program = "import sys, forensics.report.text, forensics.report.terminal, forensics.report.markdown\n"
    program += "sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_pipe_gets_plain_text() -> None:
    """What a script reads has no colour."""
    out = io.StringIO()
    print_report(documents.complete(), out)
    assert out.getvalue() == render_text(documents.complete())


def test_a_terminal_gets_the_same_words_with_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour adds nothing that words do not say."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Terminal()
    print_report(documents.complete(), out, 100)
    assert "\x1b[" in out.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) == render_text(documents.complete(), 100)


def test_no_color_is_honoured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As https://no-color.org asks."""
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    print_report(documents.complete(), out)
    assert "\x1b" not in out.getvalue()


def tokens(markdown: str) -> list[Token]:
    """All tokens that a reader of Markdown with tables would see."""
    blocks = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [*blocks, *(child for block in blocks for child in block.children or [])]


def links(markdown: str) -> list[str]:
    """Where the links of a page lead."""
    return [str(token.attrs["href"]) for token in tokens(markdown) if token.type == "link_open"]


def test_markdown_has_headings_a_table_a_fenced_stack_and_a_link() -> None:
    """As a reader of Markdown sees it: facts and timeline are tables."""
    markdown = render_markdown(documents.complete())
    kinds = [token.type for token in tokens(markdown)]
    assert kinds.count("table_open") == 2 and kinds.count("fence") == 1
    assert links(markdown) == ["https://github.com/haproxy/haproxy/issues/2508"]
    assert "## What to do now\n\n1. Upgrade to 2.9.15" in markdown


def test_hostile_text_in_markdown_makes_no_html_no_link_no_image_and_no_heading() -> None:
    """Tickets are read in browsers."""
    hostile, headings = tokens(render_markdown(documents.hostile())), []
    assert not {token.type for token in hostile} & {"html_block", "html_inline", "link_open", "image", "hr"}
    for position, token in enumerate(hostile):
        if token.type == "heading_open" and token.tag == "h1":
            headings.append(position)
    assert len(headings) == 1


def test_a_hostile_value_stays_in_its_cell() -> None:
    """Two cells a row, whatever bars it holds."""
    rows = [token.type for token in tokens(render_markdown(documents.hostile()))]
    assert rows.count("td_open") == 2 * (rows.count("tr_open") - rows.count("table_open"))


@given(st.text(alphabet="`a|\\ \n<>[]()!*_~#-+=&@:/.1hw", max_size=60))
def test_no_text_leaves_its_code_span_its_cell_or_its_prose(text: str) -> None:
    """Made of the characters that act in Markdown."""
    wanted = one_line(text)
    for shown in (f"x {code(text)} y", f"x {prose(text)} y", prose(text)):
        kinds = {token.type for token in tokens(shown)}
        assert kinds <= {"paragraph_open", "inline", "paragraph_close", "text", "code_inline", "text_special"}
    table = tokens(f"| a | b |\n|---|---|\n| c | {cell(text)} |\n")
    assert [token.type for token in table].count("td_open") == 2
    if wanted:
        spans = [token.content for token in tokens(f"x {code(text)} y") if token.type == "code_inline"]
        assert [" ".join(span.split()) for span in spans] == [wanted]


@given(st.lists(st.text(alphabet="`~a \t", max_size=12), max_size=6))
def test_no_line_ends_a_fenced_block(lines: list[str]) -> None:
    """The fence is longer than any in it."""
    kinds = [token.type for token in tokens("\n".join([*fenced(lines), "", "after"]))]
    assert kinds[0] == "fence" and kinds.count("fence") == 1 and "paragraph_open" in kinds


@given(st.text())
def test_one_line_has_no_character_that_acts_and_is_bounded(text: str) -> None:
    """For any text at all."""
    line = one_line(text, 40)
    assert acting(line) == set() and "\n" not in line and len(line) <= 40


@given(st.text())
def test_any_text_can_be_rendered(text: str) -> None:
    """Kind, version, condition and steps may hold anything."""
    report = Report(process=Process(version=text), crash=CrashSummary(text, text, text), next_steps=(text,))
    assert acting(render_text(report)) == set()
    assert acting(render_markdown(report)) == set()


def test_paragraphs_are_separated_by_empty_lines_alone() -> None:
    """Signatures wrap their prose."""
    assert paragraphs("a\nb\n\n c\n\n\n") == ("a b", "c")


def test_a_verdict_on_a_release_that_should_be_safe_is_told() -> None:
    """Memory may confirm what the version denies."""
    report = replace(documents.complete(), findings=(replace(documents.requeue_race(), affected=False),))
    assert "is not among the releases known to be affected" in render_text(report)


def test_an_explanation_longer_than_a_value_is_told_to_its_end() -> None:
    """Signatures explain in paragraphs."""
    long = replace(documents.requeue_race(), explanation="word " * 300 + "end-of-story")
    assert "end-of-story" in render_text(replace(documents.complete(), findings=(long,)))


def test_only_a_stack_is_shown_as_calls() -> None:
    """Functions of other threads are a set."""
    evidence = (
        Evidence("threads.functions", ("a", "b")),
        Evidence("stack", ("c", "d")),
        Evidence("peers.in_use", True),
    )
    text = render_text(Report(findings=(replace(documents.requeue_race(), evidence=evidence),)))
    assert "functions of the other threads: a, b\n" in text
    assert "functions, innermost first: c <- d\n" in text
    assert "peers in use: yes\n" in text


def test_a_lookalike_shows_the_one_fact_that_refuted_it() -> None:
    """The others stand in the document."""
    facts = (Evidence("crash.kind", "oom", None, False), Evidence("stack", ("f",), None, False, "it was f"))
    text = render_text(Report(excluded=(Exclusion("a/b", "title", "it was f", facts),)))
    assert "  title [a/b]\n    because it was f\n  - functions, innermost first: f\n" in text
    assert "how it died: oom" not in text


def test_a_probable_finding_without_versions_does_not_claim_that_the_version_fits() -> None:
    """Signatures of no release in particular rule no version out."""
    finding = replace(documents.requeue_race("probable"), affected=None)
    assert "no version is ruled out" in render_text(Report(findings=(finding,)))
    assert "so does the version" in render_text(Report(findings=(replace(finding, affected=True),)))


def test_what_would_make_surer_is_told_once() -> None:
    """Among the steps, where there is one for it, else beside the verdict."""
    report = documents.from_log_alone()
    assert "surer with: the core with debug symbols" in render_text(report)
    stepped = replace(report, next_steps=("Get the core with debug symbols of its build-id",))
    assert "surer with" not in render_text(stepped)


def test_what_would_decide_is_asked_first_and_told_in_full_below() -> None:
    """The best question stands on the first screen, a line for each candidate; all stand below and in Markdown."""
    stack = Question(
        "stack", "functions", "the core", (Answer("a/b", "fits", "f <- g", "h", True), Answer("c/d", "fits", "i"))
    )
    state = Question("requeue.window", "lock", "", (Answer("a/b", "proves", "unlocked", "locked"),))
    text = render_text(replace(documents.from_log_alone(), questions=(stack, state)))
    first, _, rest = text.partition("EVIDENCE")
    assert first.count("a/b: fits f <- g; ruled out by h\n") == 2
    assert first.index("WHAT WOULD DECIDE") < first.index("WHAT TO DO NOW")
    assert "  (1 more fact would help: see WHAT WOULD DECIDE, below)\n" in first
    assert "    a/b: proven by unlocked; ruled out by locked\n" in first
    assert "surer with" not in first
    assert "WHAT WOULD DECIDE" not in rest
    written = render_markdown(replace(documents.from_log_alone(), questions=(stack, state)))
    assert (
        "- **functions** (the core)\n  - `a/b`: fits f \\<- g; ruled out by h\n  - `c/d`: fits i\n- **lock**\n"
        in written
    )


def test_crashes_that_are_not_ruled_out_are_no_findings() -> None:
    question = Question("stack", "functions", "the core", (Answer("a/b", "fits", "f"), Answer("c/d", "fits", "g")))
    text = render_text(Report(crash=CrashSummary("bug_on"), questions=(question,)))
    assert "NO KNOWN CRASH MATCHES\n  2 known crashes are not ruled out: too little is known to tell\n" in text


def test_a_check_that_the_release_does_not_have_is_a_warning() -> None:
    gap = Absence("assertion at src/task.c:4 in 2.9.6", "no such assertion there")
    text = render_text(Report(crash=CrashSummary("bug_on"), gaps=(gap,)))
    assert "! no assertion at src/task.c:4 in 2.9.6 as it was released: see WHAT COULD NOT BE HAD\n" in text


def test_several_checks_at_a_line_are_listed() -> None:
    told = DatedAssertion("", ("2.6.0",), "derived", "x", ("BUG_ON in f(): 2.6.0", "BUG_ON in g(): 2.7.0"))
    text = render_text(Report(crash=CrashSummary("bug_on", assertion=told)))
    assert "inside    one of BUG_ON in f(): 2.6.0; BUG_ON in g(): 2.7.0\n" in text


def test_what_is_inferred_of_code_without_a_name_stands_below_it_and_in_the_document() -> None:
    """Dimmed, on a line of its own; a name is never made of it."""
    hint = "in src/mux_h1.c, with the check of h1_process() at line 1479"
    frames = (StackFrame(0, 1, "", 0x1A2B3C, module="/usr/sbin/haproxy", status="no_symbol", hint=hint),
              StackFrame(1, 2, "named", hint=hint))  # fmt: skip
    report = Report(crash=CrashSummary(kind="segfault"), threads=(Thread(1, 1, True, "", frames),))
    lines = render_text(report, 100).split("\n")
    place = next(at for at, line in enumerate(lines) if line.endswith("haproxy+0x1a2b3c") and "#0" in line)
    assert lines[place + 1] == f"          {hint}"
    assert [line.strip() for line in lines].count(hint) == 1
    frame = to_json_dict(report)["threads"][0]["frames"][0]  # type: ignore[index,call-overload]
    assert (frame["hint"], frame.get("function")) == (hint, None)  # type: ignore[index,call-overload,union-attr]


def test_checks_that_matched_are_told_with_their_place_and_count() -> None:
    """From the counters in memory; hostile values included."""
    row = {
        "kind": "bug",
        "source": "src/x.c:3",
        "function": "f",
        "condition": "a > b",
        "explanation": "why",
        "count": 2,
    }
    report = Report(state={"checks": [row, {"source": "\x1b[31m"}, "no row"], "candidate assertions": ["one", "two"]})
    text = render_text(report, 100)
    assert "src/x.c:3 in f(), 2 times: a > b why" in text
    assert "candidate assertions: 2 entries" in text
    assert "\x1b" not in text
