"""`signatures show`."""

from __future__ import annotations

import argparse

from forensics.cli.arguments import Parser
from forensics.cli.options import add_signatures

DESCRIPTION = """\
Show what is known of one crash: how it comes about, who is affected, what to do.

haproxy-forensics signatures show stick-table/requeue-expiry-race"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument("signature", metavar="ID", help="As `signatures list` names it.")
    add_signatures(parser)


def run(chosen: argparse.Namespace) -> int:
    """Show it; the exit status."""
    from forensics.errors import SignatureError
    from forensics.matching.knowledge import load_knowledge

    known = load_knowledge(chosen.signatures)
    found = next((one for one in known if one.id == chosen.signature), None)
    if found is None:
        last = chosen.signature.split("/")[-1]
        near = ", ".join(one.id for one in known if last in one.id) or "see `signatures list`"
        raise SignatureError(f"no signature `{chosen.signature}`", near)
    print(f"{found.id}: {found.title}\n")
    print(f"class     {found.kind}\nstatus    {found.status}")
    print(f"affects   {', '.join(found.affects) or 'any version'}\nfixed in  {', '.join(found.fixed_in) or '-'}")
    for title, text in (
        ("What happens", found.explanation),
        ("Remedy", found.remedy),
        ("Workaround", found.workaround),
    ):
        if text.strip():
            print(f"\n{title}\n{text.strip()}")
    print("\nLooks alike")
    for one in found.lookalikes:
        print(f"- {one.what}{f' [{one.signature}]' if one.signature else ''}\n  {one.tell}")
    print("\n" + "\n".join(found.references))
    return 0
