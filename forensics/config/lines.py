"""Lines of configurations, each with the section that it stands in and whether a condition decides about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forensics.config.words import split_words
from forensics.record import record

#: Keywords that open a section, in any release from 2.0 to 3.5.
SECTIONS = frozenset(
    """
    global defaults frontend backend listen peers resolvers mailers userlist cache program ring http-errors
    log-forward log-profile fcgi-app crt-store acme traces healthcheck spoe-agent spoe-message
    """.split()
)
#: Sections whose lines are not even looked at: they hold nothing but secrets and addresses.
_SECRET = frozenset({"userlist"})


@record
class Line:
    """One line that says something.

    ``section`` and ``name`` are those that it stands in ("" before the first); ``opens`` marks the line that begins
    one. ``words`` are without a prefix ``no`` or ``default``, which is ``prefix``. ``conditional`` says that a
    block `.if` decides whether HAProxy reads it: what the condition was is not known.
    """

    words: tuple[str, ...]
    path: str
    number: int
    section: str
    name: str
    opens: bool = False
    prefix: str = ""
    conditional: bool = False


def iter_lines(lines: Iterable[bytes], path: str) -> Iterator[Line]:
    """The lines of one file; sections do not reach into the next one (readcfgfile() in src/cfgparse.c)."""
    section, name, depth = "", "", 0
    for number, raw in enumerate(lines, 1):
        words = split_words(raw)
        if not words:
            continue
        if words[0].startswith("."):
            # .elif and .else stay at the depth of their .if; .notice, .warning, .alert and .diag only print.
            depth = max(depth + (words[0] == ".if") - (words[0] == ".endif"), 0)
            continue
        if words[0] in SECTIONS:
            section, name = words[0], words[1] if len(words) > 1 else ""
            yield Line(tuple(words), path, number, section, name, opens=True, conditional=depth > 0)
            continue
        if section in _SECRET:
            continue
        prefix = words[0] if words[0] in ("no", "default") and len(words) > 1 else ""
        yield Line(tuple(words[1:] if prefix else words), path, number, section, name, False, prefix, depth > 0)


def opens_section(line: bytes) -> bool:
    """Whether a line, indented or not, is a section's keyword with its name and what it takes its defaults from."""
    words = split_words(line)
    return bool(words) and words[0] in SECTIONS and (len(words) < 3 or (len(words) == 4 and words[2] == "from"))


def looks_like_config(head: bytes) -> bool:
    """Whether text begins like haproxy.cfg: a section keyword alone at the start of a line, and no log lines."""
    found = 0
    for line in head.decode("utf-8", "replace").splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ".")) or line[0] in " \t":
            continue
        if words[0] not in SECTIONS or len(words) > 4:
            return False
        found += 1
    return found > 0
