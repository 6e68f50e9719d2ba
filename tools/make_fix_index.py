"""Make the release table and the fix table of ``forensics/diagnosis/data/`` from a fix index.

    python tools/make_fix_index.py SOURCE.json

The source has ``stable_branches`` and ``dev_branches`` ({branch: [[tag, date], ...]}) and ``fixes``.
Only facts are kept. One fix a line, so that a newer table gives a readable diff.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "forensics" / "diagnosis" / "data"

#: What a fix keeps, in this order; empty values are left out.
KEPT = "commit date severity area first stable introduced files functions frames issues conditions".split()


def version_of(tag: str) -> str:
    """The version that a release tag names."""
    return tag.removeprefix("v")


def releases(source: dict[str, Any]) -> dict[str, Any]:
    """All releases with their dates, and the date up to which the table knows them."""
    table: dict[str, Any] = {"known_until": ""}
    dates = [fix["date"] for fix in source["fixes"]]
    for name, key in (("stable", "stable_branches"), ("development", "dev_branches")):
        table[name] = {
            branch: [[version_of(tag), date] for tag, date in rows] for branch, rows in sorted(source[key].items())
        }
        dates += [date for rows in source[key].values() for _, date in rows]
    table["known_until"] = max(dates)
    return table


def slim(fix: dict[str, Any]) -> dict[str, Any]:
    """The facts of one fix."""
    introduced = [version_of(by["first_tag"]) for by in fix["introduced_by"] if by["first_tag"]]
    row = {
        **fix,
        "first": version_of(fix["first_tag"]),
        "stable": {branch: version_of(tag) for branch, tag in fix["stable_first_tags"].items()},
        # A bug with several ancestors is there once the last of them is.
        "introduced": introduced,
        "frames": list(dict.fromkeys(frame for frame in fix["trace_frames"] if frame != "??")),
        "conditions": [[bug["printed"], bug["file"]] for bug in fix["bug_conditions"]],
    }
    return {key: row[key] for key in KEPT if row[key]}


def main(arguments: list[str]) -> int:
    """Write both tables; the one argument is the path of the source."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    source = json.loads(Path(arguments[0]).read_text("utf-8"))
    DATA.mkdir(exist_ok=True)
    table = json.dumps(releases(source), separators=(",", ":")).replace("]],", "]],\n") + "\n"
    (DATA / "releases.json").write_text(table, "ascii")
    lines = ",\n".join(json.dumps(slim(fix), separators=(",", ":")) for fix in source["fixes"])
    (DATA / "fixes.json").write_text(f"[\n{lines}\n]\n", "ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
