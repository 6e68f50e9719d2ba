"""Write the documents that the program knows best: ``docs/cli.md``, ``docs/facts.md`` and ``docs/symbols.md``.

``python tools/make_docs.py`` writes them; ``tests/test_docs.py`` fails when they are not up to date.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from forensics.cli.commands import COMMANDS
from forensics.evidence.catalogue import CATALOGUE
from forensics.history.assertions import known_until
from forensics.symbols import pack
from forensics.symbols.places import ORDER

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"


def help_of(command: str) -> str:
    """What `--help` prints, for a terminal of 100 columns."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    words = [sys.executable, "-m", "forensics.cli.main", *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=CHECKOUT, env=environment)
    return done.stdout.strip("\n")


def cli() -> str:
    """The commands with their help."""
    parts = [
        "# The command line\n",
        "Written by `tools/make_docs.py` from `--help`.\n",
        f"```text\n{help_of('')}\n```\n",
    ]
    parts += [f"## {command}\n\n```text\n{help_of(command)}\n```\n" for command in COMMANDS]
    return "\n".join(parts)


def facts() -> str:
    """The catalogue of facts, for those who write signatures."""
    rows = [f"| `{kind.name}` | {kind.type} | {kind.meaning} | {kind.supply} |" for kind in CATALOGUE]
    return "\n".join(
        (
            "# Facts",
            "",
            "What clauses of signatures may ask.",
            "Written by `tools/make_docs.py` from `forensics/evidence/catalogue.py`.",
            "",
            "| fact | type | meaning | what supplies it |",
            "|---|---|---|---|",
            *rows,
            "",
            "`assertion.function` and `assertion.releases` come from `forensics/history/data/assertions.txt`: file,",
            "line, function and hashed condition of every BUG_ON, WARN_ON, CHECK_IF and ABORT_NOW in the release tags",
            f"of HAProxy's git, up to {known_until()}. `tools/make_assertions.py` makes it.",
            "A range lies in one branch; one that ends in `.*` goes on to the last release known. Where no input names",
            "the version, `affects` is judged by these ranges: all affected, none, or not decided.",
            "",
        )
    )


STORE = """\
## The symbol store and symbol packs

The host of a crash is often upgraded before anybody looks at its core. What its files said can be kept:

```
haproxy-forensics symbols add /usr/sbin/haproxy    # at every package build or installation
haproxy-forensics symbols add core                 # all modules of a core whose files are still there
haproxy-forensics symbols list
haproxy-forensics symbols verify                   # every byte, by checksum
haproxy-forensics symbols fetch core               # from debuginfod servers: uses the network
haproxy-forensics symbols pack core -o one.symbols # for another machine: `triage core --symbols one.symbols`
```

An entry holds everything but the code itself: names, call frames, assertions and the DWARF, so that stacks, lines,
inlined calls and structures are what they were on the host. The store lies in `$HAPROXY_FORENSICS_SYMBOLS`,
else in `$XDG_DATA_HOME/haproxy-forensics/symbols` (`~/.local/share/haproxy-forensics/symbols`). Two processes may
write at once: entries are replaced whole. `symbols pack --slim` leaves the DWARF out and keeps what was worked out
from it.

### The format
"""

DEBUGINFOD = """\
## debuginfod

Servers are asked only with consent: `--debuginfod` asks those in `DEBUGINFOD_URLS`, `--debuginfod-url URL` the
one that it names. Who consents once and for all writes into `$XDG_CONFIG_HOME/haproxy-forensics/config.toml`
(`~/.config/haproxy-forensics/config.toml`):

```toml
debuginfod = true         # ask the servers in DEBUGINFOD_URLS
debuginfod_timeout = 60   # seconds for all requests of a run
```

What leaves the host is build-ids; what comes is checked (an ELF file, whole, of that build-id) before it is used.
Files are kept where `debuginfod-find` and gdb keep theirs (`DEBUGINFOD_CACHE_PATH`, else
`$XDG_CACHE_HOME/debuginfod_client`), and what those fetched is used without asking anybody. A miss is remembered as
they do, for the seconds in `cache_miss_s`. `DEBUGINFOD_MAXSIZE` bounds a file, as does a limit of 2 GiB. Redirections
never lead from https to http; the proxies of the environment are used.
"""


def pack_format() -> str:
    """What the module of the format says of it, its tables fenced."""
    _title, _, text = (pack.__doc__ or "").partition("\n\n")
    parts = [part.replace("``", "`") for part in text.strip().split("\n\n")]
    return "\n\n".join(_fenced(part) if re.match(r"`[\w ./]+`.* {2,}", part) else part for part in parts)


def _fenced(table: str) -> str:
    plain = table.replace("`", "")
    return f"```text\n{plain}\n```"


def symbols() -> str:
    """The places where files are looked for."""
    rows = [f"{number}. **{place}**: {what}" for number, (place, what) in enumerate(ORDER, 1)]
    return "\n".join(
        (
            "# Where symbols come from",
            "",
            "Written by `tools/make_docs.py` from `forensics/symbols/places.py`.",
            "",
            "The executable, each library and their debug files are looked for in this order. A file is used only if",
            "its build-id is the one in the core; the report lists for each module what was tried, and what was there.",
            "",
            *rows,
            "",
            STORE,
            pack_format(),
            "",
            DEBUGINFOD,
        )
    )


def documents() -> dict[Path, str]:
    """Path and content of every generated document."""
    return {DOCS / "cli.md": cli(), DOCS / "facts.md": facts(), DOCS / "symbols.md": symbols()}


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(CHECKOUT))
