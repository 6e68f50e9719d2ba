"""`symbols list`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from forensics.cli.arguments import Parser
from forensics.cli.options import LIST_FORMATS, add_format

if TYPE_CHECKING:
    from forensics.absence import Absence
    from forensics.symbols.pack import SymbolPack

DESCRIPTION = """\
List the builds that the symbol store or packs hold.

Each with its build-id, its size, what it tells (`dwarf` everything, `lines` functions and source
lines, `names` functions only), HAProxy's version and the file."""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("packs", metavar="PACK", nargs="*", help="Packs; without, the symbol store.")
    add_format(parser, LIST_FORMATS, "Form of the list.")


def run(chosen: argparse.Namespace) -> int:
    """List them; the exit status."""
    from forensics.symbols.store import opened

    rows = [_row(build_id, entry) for build_id, entry in opened(chosen.packs)]
    if chosen.format == "json":
        import json

        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(_shown(row))
    return 0


def _row(build_id: str, opened: SymbolPack | Absence) -> dict[str, object]:
    """One build, for people and programs."""
    from forensics.absence import Absence

    if isinstance(opened, Absence):
        return {"build_id": build_id, "error": opened.reason, "hint": opened.remedy}
    lines = "dwarf" if opened.image else "lines" if opened.has_lines else "names"
    return {
        "build_id": opened.build_id, "path": opened.image_path, "version": opened.version, "lines": lines,
        "size": opened.size, "made_by": opened.made_by,
    }  # fmt: skip


def _shown(row: dict[str, object]) -> str:
    if "error" in row:
        return f"{row['build_id']}  {row['error']}"
    size = f"{int(str(row['size'])) / 1024:.0f} KiB"
    return f"{row['build_id']}  {size:>9}  {row['lines']:5}  {row['version'] or '-':10}  {row['path']}"
