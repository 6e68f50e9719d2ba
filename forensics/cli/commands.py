"""The commands: their names, what each is for, and the module that holds it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from forensics.cli.arguments import Parser

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Protocol

    class Command(Protocol):
        """A module of this package that is a command."""

        DESCRIPTION: str

        def configure(self, parser: Parser) -> None:
            """Add the arguments."""

        def run(self, chosen: Namespace) -> int:
            """Do it; the exit status."""


PROGRAM = "haproxy-forensics"

DESCRIPTION = "What killed this HAProxy, and what to do now: from its core, its log, or both."
STATUS = "Exit status: 0 analysed, whatever was found; 1 could not be analysed; 2 wrong usage."

#: Name, and one line about it. A group has its own, named with a space between.
COMMANDS = {
    "triage": "Diagnose one incident: what died, where and why, what to do now.",
    "backtrace": "Show the stacks of all threads of a core.",
    "show": "Ask a core what a live HAProxy answers to `show`.",
    "scan": "Diagnose many incidents, one line each; equal crashes grouped.",
    "signatures": "The known crashes.",
    "signatures list": "List the known crashes, one a line.",
    "signatures show": "Show what is known of one crash.",
    "signatures lint": "Check signatures and their cases.",
    "symbols": "Symbols of builds, for machines and days without their files.",
    "symbols add": "Keep in the symbol store what the files of builds say.",
    "symbols list": "List the builds that the symbol store or packs hold.",
    "symbols pack": "Write one file with the symbols of builds, for another machine.",
    "symbols fetch": "Get the symbols of builds from debuginfod servers, and keep them.",
    "symbols verify": "Check that the symbol store or packs can be read.",
    "schema": "Print the JSON Schema of the report document.",
    "completion": "Print the completion for a shell.",
}


def members_of(group: str) -> list[str]:
    """The commands of a group, or of the program for ""; their names without the group's."""
    before = f"{group} " if group else ""
    depth = 1 if group else 0
    return [name.removeprefix(before) for name in COMMANDS if name.startswith(before) and name.count(" ") == depth]


def module_of(name: str) -> Command:
    """The module of a command, imported."""
    module: Any = importlib.import_module(f"forensics.cli.{name.replace(' ', '_')}")
    return module  # type: ignore[no-any-return]  # a test asks each of them


def parser_of(name: str) -> Parser:
    """The parser of one command."""
    command = module_of(name)
    parser = Parser(f"{PROGRAM} {name}", command.DESCRIPTION)
    command.configure(parser)
    return parser


def group_parser(group: str) -> Parser:
    """The parser of a group, or of the program for "": it gives help."""
    names = members_of(group)
    about = COMMANDS[group] if group else DESCRIPTION
    width = max(map(len, names)) + 2
    listed = "\n".join(f"  {name:<{width}}{COMMANDS[f'{group} {name}'.strip()]}" for name in names)
    program = f"{PROGRAM} {group}".strip()
    description, usage = f"{about}\n\nCommands:\n{listed}", f"{program} [-h] COMMAND ..."
    parser = Parser(program, description, usage=usage, epilog=None if group else STATUS)
    if not group:
        parser.add_argument("--version", action="store_true", help="Show the version and exit.")
    return parser


def whole_parser() -> Parser:
    """One parser of everything, for completion."""
    return _with_commands(group_parser(""), "")


def _with_commands(parser: Parser, group: str) -> Parser:
    choices = parser.add_subparsers(parser_class=Parser, metavar="COMMAND")
    for name in members_of(group):
        whole = f"{group} {name}".strip()
        inner = members_of(whole) if not group else []
        about = COMMANDS[whole]
        one = choices.add_parser(name, help=about, description=about)
        if inner:
            _with_commands(one, whole)
        else:
            module_of(whole).configure(one)
    return parser
