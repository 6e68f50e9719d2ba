"""Facts that haproxy.cfg tells."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.config import ConfigEvidence
from forensics.evidence.fact import Fact
from forensics.source import Source


def collect_config(config: ConfigEvidence, path: str) -> Iterator[Fact]:
    """Stick-tables, peers and threads of the configuration at ``path``."""
    yield Fact("config.stick_tables", len(config.tables), Source(path, "stick-table lines"))
    with_peers = config.tables_with_peers
    if with_peers:
        first = with_peers[0]
        yield Fact("peers.in_use", True, Source(path, f"stick-table with peers `{first.value}`", line=first.line))
    elif not config.peers:
        yield Fact("peers.in_use", False, Source(path, "no section `peers`, no stick-table with peers"))
    if config.threads is not None and config.threads.value.isdigit():
        yield Fact("config.threads", int(config.threads.value), Source(path, "nbthread", line=config.threads.line))
