"""The command `haproxy-forensics`."""

from __future__ import annotations

import sys

from forensics import __version__
from forensics.cli import output
from forensics.cli.commands import COMMANDS, PROGRAM, group_parser, members_of, module_of, parser_of
from forensics.errors import ForensicsError, UsageError


def main() -> None:
    """Run the command; errors become one message on stderr and an exit status."""
    try:
        status = _run(sys.argv[1:])
        sys.stdout.flush()
    except ForensicsError as error:
        output.complain(error)
        status = 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # A reader that has seen enough (`head`, a pager) ends us without a word.
        output.close_quietly()
        status = 0
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    name, rest = _command(arguments)
    if not name or members_of(name):
        return _general(name, rest)
    parser = parser_of(name)
    if not rest and parser.needs_arguments:
        parser.print_help(sys.stderr)
        return 2
    return module_of(name).run(parser.read(rest))


def _command(arguments: list[str]) -> tuple[str, list[str]]:
    """The command that the first words name, and what follows; UsageError for one that there is not."""
    name, rest = "", arguments
    while rest and not rest[0].startswith("-"):
        longer = f"{name} {rest[0]}".strip()
        if longer not in COMMANDS:
            if name and not members_of(name):
                break
            known = ", ".join(members_of(name))
            raise UsageError(f"no command `{longer}`", f"`{PROGRAM} {name}`".replace(" `", "`") + f" has {known}")
        name, rest = longer, rest[1:]
    return name, rest


def _general(group: str, rest: list[str]) -> int:
    """Help or version."""
    parser = group_parser(group)
    if not rest:
        parser.print_help(sys.stderr)
        return 2
    chosen = parser.parse_args(rest)
    if getattr(chosen, "version", False):
        print(f"{PROGRAM} {__version__}")
    return 0


if __name__ == "__main__":
    main()
