"""How arguments are read: argparse, with our form of help and of complaints.

Not typer: importing it takes as long as everything else that a warm triage does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from forensics.errors import UsageError

#: Columns of help: lines beyond it are hard to read.
_WIDEST = 100


class Parser(argparse.ArgumentParser):
    """The arguments of one command; a wrong one raises UsageError."""

    def __init__(self, prog: str, description: str, **options: Any) -> None:
        super().__init__(
            prog, description=description, formatter_class=_Help, add_help=False, allow_abbrev=False, **options
        )
        self.add_argument("-h", "--help", action="help", help="Show this message and exit.")

    @property
    def needs_arguments(self) -> bool:
        """Whether the command can do nothing without any."""
        return any(action.required and action.nargs != "*" for action in self._actions)

    def error(self, message: str) -> NoReturn:
        """Called by argparse for whatever cannot be understood."""
        raise UsageError(message, f"`{self.prog} --help` tells what can be given")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The arguments, options and inputs in any order. UsageError for what is wrong, SystemExit for --help."""
        return self.parse_intermixed_args(arguments)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions as they are written; as wide as the terminal, up to a bound."""

    def __init__(self, prog: str) -> None:
        columns = os.environ.get("COLUMNS", "")
        width = int(columns) if columns.isdigit() else _terminal_width()
        super().__init__(prog, max_help_position=28, width=max(40, min(_WIDEST, width)))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """`-o, --output FILE`: what an option takes is said once."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {action.metavar}"

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        """`Usage:` with a capital, as the other headings."""
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        """Headings with a capital."""
        super().start_section(heading[:1].upper() + heading[1:] if heading else heading)


def _terminal_width() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return _WIDEST


def number(kind: Callable[[str], float], low: float) -> Callable[[str], float]:
    """The type of a number (``int`` or ``float``) that is not below ``low``."""

    def read(text: str) -> float:
        value = kind(text)
        if not value >= low:  # neither is NaN
            raise argparse.ArgumentTypeError(f"{text} is below {low}")
        return value

    read.__name__ = "number"
    return read
