"""`completion`: what a shell needs to complete our commands and options."""

from __future__ import annotations

import argparse
import sys

from forensics.cli.arguments import Parser

DESCRIPTION = """\
Print the completion for a shell.

haproxy-forensics completion bash > ~/.local/share/bash-completion/completions/haproxy-forensics
haproxy-forensics completion zsh > /usr/local/share/zsh/site-functions/_haproxy-forensics"""

SHELLS = ("bash", "zsh", "tcsh")


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or tcsh.")


def run(chosen: argparse.Namespace) -> int:
    """Print it; the exit status."""
    import shtab

    from forensics.cli.commands import whole_parser

    sys.stdout.write(shtab.complete(whole_parser(), chosen.shell) + "\n")
    return 0
