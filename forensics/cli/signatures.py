"""`signatures`: what the program knows, and whether it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from forensics.cli.options import Signatures

if TYPE_CHECKING:
    from forensics.matching.signature import Signature

app = typer.Typer(help="The known crashes.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_signatures(signatures: Signatures = "") -> None:
    """List the known crashes, one a line."""
    for one in _load(signatures):
        print(f"{one.id:<40} {one.kind:<13} {one.status:<10} {one.title}")


@app.command("show")
def show_signature(
    signature: Annotated[str, typer.Argument(metavar="ID", help="Such as stick-table/requeue-expiry-race.")],
    signatures: Signatures = "",
) -> None:
    """Show what is known of one crash: how it comes about, who is affected, what to do."""
    from forensics.errors import SignatureError

    known = _load(signatures)
    found = next((one for one in known if one.id == signature), None)
    if found is None:
        near = ", ".join(one.id for one in known if signature.split("/")[-1] in one.id) or "see `signatures list`"
        raise SignatureError(f"no signature `{signature}`", near)
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


@app.command("lint")
def lint_signatures(
    directory: Annotated[
        str, typer.Argument(metavar="[DIR]", help="Signatures to check; ours when not given.", show_default=False)
    ] = "",
) -> None:
    """Check signatures and their cases: every clause must earn its place."""
    from pathlib import Path

    from forensics.api import crash_of_text
    from forensics.matching.lint import lint_directory
    from forensics.matching.locate import find_signatures

    place = Path(directory) if directory else find_signatures()
    complaints = list(lint_directory(place, {"log": crash_of_text}))
    for complaint in complaints:
        print(f"{complaint.signature}: {complaint.problem}" + (f"\n  hint: {complaint.hint}" if complaint.hint else ""))
    if complaints:
        raise typer.Exit(1)
    print(f"{place}: no complaints")


def _load(directory: str) -> tuple[Signature, ...]:
    from forensics.matching.knowledge import load_knowledge

    return load_knowledge(directory)
