"""`symbols`: what the files of builds say, kept and shared."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.cli.options import DebugDirectories, Exe, ListFormat, Sysroot

if TYPE_CHECKING:
    from forensics.absence import Absence
    from forensics.symbols.pack import SymbolPack

app = typer.Typer(
    help="Symbols of builds, for machines and days without their files.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("add", no_args_is_help=True)
def add(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Executables, libraries, or cores of them.", show_default=False),
    ],
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
) -> None:
    """Keep in the symbol store what the files of builds say, by build-id.

    Of a core, all its modules are added whose files are found. From then on their stacks have names and
    lines on this machine, whatever becomes of the files.

    \b
    haproxy-forensics symbols add /usr/sbin/haproxy    # before the next upgrade
    haproxy-forensics symbols add core
    """
    from forensics.absence import Absence
    from forensics.builds import extract
    from forensics.symbols.find import Places
    from forensics.symbols.store import SymbolStore

    store, failed = SymbolStore(), False
    for one in extract(inputs, Places(exe, tuple(debug_dir or ()), sysroot), store):
        if isinstance(one.entry, Absence):
            failed = True
            _warn(one.path, one.entry)
        elif one.kept:
            print(f"{one.build_id}  {one.path}  (kept before)")
        else:
            store.add(one.build_id, one.entry)
            print(f"{one.build_id}  {one.path}")
    if failed:
        raise typer.Exit(1)


@app.command("pack")
def pack(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WHAT]...", help="Cores, executables, libraries, build-ids.", show_default=False),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The pack that is written.")
    ] = "haproxy.symbols",
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    slim: Annotated[
        bool, typer.Option("--slim", help="Only names, lines and calls: a quarter of the size, some seconds of work.")
    ] = False,
) -> None:
    """Write one file with the symbols of builds, for another machine: `triage core --symbols FILE`.

    Of a core, all its modules whose files are found. Without WHAT, all that the symbol store holds.

    \b
    haproxy-forensics symbols pack core                        # on the host that has the files
    haproxy-forensics triage core --symbols haproxy.symbols    # on a laptop that has none
    """
    from forensics.absence import Absence
    from forensics.builds import extract
    from forensics.errors import EmptyInput
    from forensics.symbols.find import Places
    from forensics.symbols.pack_writer import write_pack
    from forensics.symbols.store import SymbolStore

    store = SymbolStore()
    wanted = inputs or [build_id for build_id, _pack in store.entries()]
    entries = []
    for one in extract(wanted, Places(exe, tuple(debug_dir or ()), sysroot), store, slim=slim):
        if isinstance(one.entry, Absence):
            _warn(one.path, one.entry)
        else:
            entries.append(one.entry)
            print(f"{one.build_id}  {one.path}")
    if not entries:
        raise EmptyInput("there is nothing to pack", "name a core or an executable, or fill the store: `symbols add`")
    write_pack(output, entries)
    sys.stderr.write(f"{len(entries)} builds in {output}, {sum(map(len, entries)) / (1 << 20):.1f} MiB\n")


@app.command("list")
def list_(
    packs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACK]...", help="Packs; without, the symbol store.", show_default=False),
    ] = None,
    format: Annotated[ListFormat, typer.Option("--format", "-f")] = ListFormat.TEXT,  # noqa: A002 - the option's name
) -> None:
    """List the builds that the symbol store or packs hold: build-id, size, what it tells, HAProxy's version, file.

    `dwarf` tells everything, `lines` functions and source lines, `names` functions only.
    """
    import json

    rows = [_row(build_id, opened) for build_id, opened in _opened(packs)]
    if format is ListFormat.JSON:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(_shown(row))


@app.command("verify")
def verify(
    packs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACK]...", help="Packs; without, the symbol store.", show_default=False),
    ] = None,
) -> None:
    """Check that the symbol store or packs can be read, to the last byte.

    Exit status 1 when one cannot; `symbols add` makes an entry of the store again.
    """
    from forensics.absence import Absence

    failed = False
    for build_id, opened in _opened(packs):
        if isinstance(opened, Absence):
            failed = True
            print(f"{build_id}  {opened.reason}")
        elif broken := opened.broken_sections():
            failed = True
            print(f"{build_id}  damaged: {', '.join(broken)}")
        else:
            print(f"{build_id}  good")
    if failed:
        raise typer.Exit(1)


def _opened(packs: list[str] | None) -> Iterator[tuple[str, SymbolPack | Absence]]:
    """Build-id (or path) and entry of all builds of ``packs``, of the store when there are none."""
    from forensics.absence import Absence
    from forensics.symbols.pack import open_packs
    from forensics.symbols.store import SymbolStore

    if not packs:
        yield from SymbolStore().entries()
    for path in packs or ():
        opened = open_packs(path)
        if isinstance(opened, Absence):
            yield path, opened
        else:
            yield from ((one.build_id, one) for one in opened)


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


def _warn(path: str, why: Absence) -> None:
    """What could not be extracted, on stderr."""
    sys.stderr.write(f"warning: no symbols of {path}: {why.reason}\n")
