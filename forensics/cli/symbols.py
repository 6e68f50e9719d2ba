"""`symbols`: what a build's files say, in files that can be shared."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from forensics.cli.options import DebugDirectories, Exe, Sysroot

app = typer.Typer(
    help="Symbols of builds, for machines without their files.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("pack")
def pack(
    core: Annotated[str, typer.Argument(metavar="CORE", help="A core of the build.", show_default=False)],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Directory that the packs are written to.")
    ] = ".",
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    main_only: Annotated[bool, typer.Option("--main-only", help="Only the executable, no libraries.")] = False,
) -> None:
    """Write one symbol pack for each module that the core's stacks need.

    With them `triage --symbols DIR` gives the same stacks on a machine that has none
    of the files.
    """
    import os

    from forensics.api import Options, open_core
    from forensics.elf.module import VDSO
    from forensics.symbols.find import Places
    from forensics.symbols.pack_writer import write_pack

    process, _stacks = open_core(core, Options(Places(exe, tuple(debug_dir or ()), sysroot)))
    os.makedirs(output, exist_ok=True)
    failed = False
    for files in process.files:
        module = files.module
        if module.path == VDSO or (main_only and not module.main):
            continue
        written = write_pack(process.symbols(module), output)
        if isinstance(written, str):
            print(f"{written}  {module.path}")
        else:
            failed = True
            sys.stderr.write(f"warning: no pack for {module.path}: {written.reason}\n")
    if failed:
        raise typer.Exit(1)


@app.command("show")
def show(
    pack_file: Annotated[str, typer.Argument(metavar="PACK", help="A symbol pack.", show_default=False)],
) -> None:
    """Say which build a symbol pack is of, and what it holds."""
    from forensics.errors import UnknownInput
    from forensics.symbols.pack import SymbolPack, open_pack

    opened = open_pack(pack_file)
    if not isinstance(opened, SymbolPack):
        raise UnknownInput(f"`{pack_file}`: {opened.reason}", opened.remedy)
    print(f"build-id   {opened.build_id}\nfile       {opened.image_path}\nmade by    {opened.made_by}")
    print(f"functions  {len(opened.table.functions)}\nvariables  {len(opened.variables)}")
    print(f"lines      {'yes' if opened.has_lines else 'no: the build had no DWARF at hand'}")
    print(f"assertions {len(opened.assertions)}")
