"""Words of a line, as HAProxy splits them: its own `-dC` is the oracle where an executable is at hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from forensics.config.words import is_unresolved, split_words

LINES = {
    b"a b\tc": ["a", "b", "c"],
    b"a # b": ["a"],
    b"a#b c": ["a"],
    b"a \\# b\\ c": ["a", "#", "b c"],
    b'a "b # c" d': ["a", "b # c", "d"],
    b'a b"c d"e': ["a", "bc de"],
    b"a 'b \"c\\' d": ["a", 'b "c\\', "d"],
    b'a "b \\" c"': ["a", 'b " c'],
    b'a ""': ["a", ""],
    b"a \\\\ b": ["a", "\\", "b"],
    b"": [],
    b"  # only": [],
}


@pytest.mark.parametrize("line", LINES)
def test_words_are_split_as_haproxy_does(line: bytes) -> None:
    assert split_words(line) == LINES[line]


def test_a_backslash_at_the_end_joins_no_lines() -> None:
    assert split_words(b"maxconn \\\n") == ["maxconn", "\\"]


def test_variables_stay_as_they_are_written() -> None:
    assert split_words(b'bind "${ADDRESS}:80"') == ["bind", "${ADDRESS}:80"]
    assert is_unresolved("${ADDRESS}:80")
    assert not is_unresolved("10$")


HAPROXY = Path(__file__).parents[2] / ".lab/builds/haproxy-3.0/haproxy"


@pytest.mark.skipif(
    not HAPROXY.is_file(), reason="the lab has no haproxy-3.0: python -m samples.lab.builds haproxy-3.0"
)
def test_haproxy_itself_splits_these_lines_so(tmp_path: Path) -> None:
    """`-dC` prints the words of each line with a blank behind each; the lines need not make sense."""
    lines = [line for line, words in LINES.items() if words and "" not in words]
    file = tmp_path / "words.cfg"
    file.write_bytes(b"global\n" + b"".join(b"    description " + line + b"\n" for line in lines))
    done = subprocess.run([HAPROXY, "-c", "-dC", "-f", file], capture_output=True, text=True, timeout=10, check=False)
    printed = [line[1:] for line in done.stdout.splitlines() if line.startswith("\tdescription")]
    assert printed == [f"description {' '.join(LINES[line])} " for line in lines]
