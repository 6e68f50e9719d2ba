"""`schema`: the JSON Schema of the report document."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser

DESCRIPTION = "Print the JSON Schema of the report document."


def configure(_parser: Parser) -> None:
    """It takes no arguments."""


def run(_chosen: argparse.Namespace) -> int:
    """Print it; the exit status."""
    import json

    from forensics.report.schema import report_schema

    print(json.dumps(report_schema(), indent=2))
    return 0
