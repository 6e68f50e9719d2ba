"""The command `haproxy-forensics`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import typer.core

from forensics import __version__
from forensics.cli import output, signatures, symbols
from forensics.cli.backtrace import backtrace
from forensics.cli.scan import scan
from forensics.cli.triage import triage
from forensics.errors import ForensicsError, UsageError


class _Commands(typer.core.TyperGroup):
    """The commands; a reader that has seen enough (`head`, a pager) ends them without a word."""

    def invoke(self, ctx: Any) -> object:
        """Run the chosen command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            output.close_quietly()
            raise typer.Exit from None
        return result


app = typer.Typer(
    cls=_Commands,
    name="haproxy-forensics",
    help="What killed this HAProxy, and what to do now: from its core, its log, or both.",
    epilog="Exit status: 0 analysed, whatever was found; 1 could not be analysed; 2 wrong usage.",
    no_args_is_help=True,
    # Plain help: rich would cost half of a warm triage to import.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"haproxy-forensics {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What killed this HAProxy, and what to do now: from its core, its log, or both."""


app.command("triage", no_args_is_help=True)(triage)
app.command("backtrace", no_args_is_help=True)(backtrace)
app.command("scan", no_args_is_help=True)(scan)
app.add_typer(signatures.app, name="signatures")
app.add_typer(symbols.app, name="symbols")


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of the report document."""
    import json

    from forensics.report.schema import report_schema

    print(json.dumps(report_schema(), indent=2))


def main() -> None:
    """Run the command; errors become one message on stderr and an exit status."""
    try:
        app(prog_name="haproxy-forensics")
    except ForensicsError as error:
        output.complain(error)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
