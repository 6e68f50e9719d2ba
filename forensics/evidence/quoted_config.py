"""The configuration that a ticket quotes beside a crash: what it says holds, what it leaves out says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.evidence.log_files import LogFile
from forensics.logs import looks_like_evidence
from forensics.record import replace

#: Bytes of a text that can be a ticket: a forum's posts and GitHub's are at most 64 KiB each.
_LARGEST = 1 << 20
_FENCES = (b"```", b"~~~")
#: Counts of what a quotation may have left out.
_OF_ALL = frozenset(("config.proxies", "config.remote_peers"))


def quoted_config(file: LogFile) -> Iterator[Fact | Absence]:
    """The facts of the one configuration between fences in a text; an Absence where several are quoted."""
    text = _text_of(file)
    if not text:
        return
    from forensics.config import opens_section, parse
    from forensics.evidence.from_config import collect_config

    blocks = [block for block in _fenced(text.splitlines(keepends=True)) if _is_config(block[1], opens_section)]
    if len(blocks) > 1:
        places = ", ".join(str(start + 1) for start, _lines in blocks[:8])
        why = f"{file.path} quotes {len(blocks)}, on lines {places}: which one was in use is not said"
        yield Absence("configuration", why, "the haproxy.cfg that was in use")
    for start, lines in blocks if len(blocks) == 1 else ():
        for fact in collect_config(parse([b"\n"] * start + lines, file.path), file.path):
            if isinstance(fact, Fact) and fact.value and fact.name not in _OF_ALL:
                source = replace(fact.source, what=f"{fact.source.what} of the configuration that is quoted")
                yield replace(fact, source=source, trust="derived")


def _text_of(file: LogFile) -> bytes:
    """The bytes of a text that is small enough, b"" for any other."""
    stream = file.again() if not file.compression else None
    if stream is None:
        return b""
    with stream:
        text = stream.read(_LARGEST + 1)
    return text if len(text) <= _LARGEST and any(fence in text for fence in _FENCES) else b""


def _fenced(lines: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """What stands between fences: the lines before it, and its own, without the quotation marks of a mail."""
    opened = 0
    for number, line in enumerate(lines, 1):
        if not line.lstrip(b"> \t").startswith(_FENCES):
            continue
        if opened:
            yield opened, [each.lstrip(b">") for each in lines[opened : number - 1]]
        opened = 0 if opened else number


def _is_config(lines: list[bytes], opens_section: Callable[[bytes], bool]) -> bool:
    """Whether a block has sections of a configuration, and nothing that a crash leaves."""
    return sum(map(opens_section, lines)) > 0 and len(lines) > 1 and not looks_like_evidence(b"".join(lines))
