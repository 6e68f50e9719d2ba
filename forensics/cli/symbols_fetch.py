"""`symbols fetch`."""

from __future__ import annotations

import argparse
import sys

from forensics.cli.arguments import Parser
from forensics.cli.options import add_places, places_of

DESCRIPTION = """\
Get the symbols of builds from debuginfod servers, and keep them in the symbol store.

This command uses the network: it asks the servers in DEBUGINFOD_URLS, or those of
--debuginfod-url. Build-ids leave this host, nothing else.

haproxy-forensics symbols fetch core
haproxy-forensics symbols fetch 5bc7e7075a58e3b8cdcb4a2aabc3a4e01b84c28e"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "inputs", metavar="WHAT", nargs="+", help="Cores, executables, libraries; build-ids, written out."
    )
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Fetch and keep them; the exit status, 1 when a build could not be had."""
    from forensics.absence import Absence
    from forensics.builds import fetched_modules
    from forensics.symbols.pack_writer import pack_entry
    from forensics.symbols.store import SymbolStore

    store, failed = SymbolStore(), 0
    for symbols in fetched_modules(chosen.inputs, places_of(chosen)):
        build_id, path = symbols.files.module.build_id, symbols.files.module.path
        entry = pack_entry(symbols)
        if isinstance(entry, Absence) or isinstance(build_id, Absence):
            failed = 1
            why = entry.reason if isinstance(entry, Absence) else "its build-id is not known"
            sys.stderr.write(f"warning: no symbols of {path}: {why}\n")
            continue
        store.add(build_id, entry)
        without = "" if symbols.dwarf else "  (no DWARF)"
        print(f"{build_id}  {path}{without}")
    return failed
