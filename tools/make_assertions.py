"""Make ``forensics/history/data/assertions.txt`` from a catalogue of all assertions.

    python tools/make_assertions.py SOURCE.json[.zst]

The source has ``tags`` (release tags, branch by branch), ``branches`` ({branch: [first, last] index}) and ``rows``:
``f`` file, ``fn`` function, ``k`` kind, ``p`` the printed condition, ``at`` {line: pairs of first and last tag}.
Conditions are kept as hashes. ``forensics/history/assertions.py`` explains the file that is written.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from forensics.diagnosis.releases import branch_releases, known_until
from forensics.history.assertions import condition_hashes

DATA = Path(__file__).resolve().parent.parent / "forensics" / "history" / "data"

#: Where the source has it from.
ORIGIN = "BUG_ON, WARN_ON, CHECK_IF and ABORT_NOW in src/, include/ and addons/ of the release tags of HAProxy's git"

#: Kinds that print a line; the others are only counted.
PRINTED = ("BUG_ON", "WARN_ON", "CHECK_IF", "ABORT_NOW")


def load(path: Path) -> dict[str, Any]:
    """The source, compressed or not."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        import zstandard

        with zstandard.ZstdDecompressor().stream_reader(data) as stream:
            data = stream.read()
    source: dict[str, Any] = json.loads(data)
    return source


def head(source: dict[str, Any]) -> dict[str, Any]:
    """The first line: where the data comes from, and the releases in order."""
    tags = [tag.removeprefix("v") for tag in source["tags"]]
    branches = {branch: tags[first : last + 1] for branch, (first, last) in source["branches"].items()}
    over = [branch for branch in branches if ended(branch)]
    return {"source": ORIGIN, "schema": source["schema"], "until": tags[-1], "ended": over, "branches": branches}


def ended(branch: str) -> bool:
    """Whether a branch had no release for a year before the release table ends: no later one is to be expected."""
    known = branch_releases(branch)
    return bool(known) and (date.fromisoformat(known_until()) - date.fromisoformat(known[-1].date)).days > 365


def row(each: dict[str, Any]) -> list[Any]:
    """One assertion as the file keeps it."""
    flags = ("b" if each.get("b") else "") + ("o" if each.get("off") else "")
    printed = each["p"] if isinstance(each["p"], list) else [[each["p"], []]] if each["p"] else []
    conditions = [[*condition_hashes(text), *([joined(tags)] if tags else [])] for text, tags in printed]
    lines = sorted(each["at"].items(), key=lambda item: int(item[0].partition("+")[0]))
    return [each["f"], each["fn"], each["k"], flags, conditions, "".join(f" {at}:{joined(tags)}" for at, tags in lines)]


def joined(pairs: list[int]) -> str:
    """Pairs of first and last index as ``3-7,9``; neighbours become one."""
    runs: list[list[int]] = []
    for first, last in zip(pairs[::2], pairs[1::2], strict=True):
        if runs and runs[-1][1] + 1 == first:
            runs[-1][1] = last
        else:
            runs.append([first, last])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def main(arguments: list[str]) -> int:
    """Write the file; the one argument is the path of the source."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    source = load(Path(arguments[0]))
    kept = [each for each in source["rows"] if each["k"].startswith(PRINTED) and not each["fn"].startswith("#")]
    lines = sorted((row(each) for each in kept), key=lambda one: (one[0], one[1], one[2], one[5]))
    DATA.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(one, separators=(",", ":")) for one in (head(source), *lines))
    (DATA / "assertions.txt").write_text(text + "\n", "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
