"""What a configuration says, as records: only what signatures and readers ask, never a value that may be secret."""

from __future__ import annotations

from forensics.record import record


@record
class Setting:
    """A value and where it stands: ``path`` and 1-based ``line``.

    ``conditional`` says that a block `.if` decides whether it holds; a value with a variable of the environment is
    kept as it is written.
    """

    value: str
    line: int
    path: str = ""
    conditional: bool = False


@record
class Peer:
    """One peer of a section. ``local`` says whether it is this process; None where its host's name decides."""

    name: str
    local: bool | None
    line: int


@record
class PeersSection:
    """A section ``peers``: its name and its peers, whose addresses are not kept."""

    name: str
    peers: tuple[Peer, ...]
    line: int
    path: str = ""
    conditional: bool = False

    @property
    def remote(self) -> int:
        """How many of its peers are other processes: where no name tells the local one, all but one are."""
        known = [peer for peer in self.peers if peer.local]
        return len(self.peers) - (len(known) or min(1, len(self.peers)))


@record
class Table:
    """A stick-table. ``size`` in entries (0: not told), ``expire`` as it is written, ``peers`` "" where it has none.

    ``name`` is the proxy's that it stands in, or ``SECTION/NAME`` of a section ``peers``.
    """

    name: str
    type: str
    size: int
    expire: str
    peers: str
    store: tuple[str, ...]
    line: int
    path: str = ""
    conditional: bool = False


@record
class TableUse:
    """That a proxy uses a table: ``by`` is the rule (``track-sc0``, ``stick on``) or the sample fetch."""

    table: str
    by: str
    section: str
    proxy: str
    line: int
    path: str = ""


@record
class Proxy:
    """A frontend, backend or listen; ``defaults`` names the section that it inherits from, "" for one without name.

    ``mode`` and ``maxconn`` are its own, or those of that section; "" where neither says it.
    """

    kind: str
    name: str
    defaults: str
    line: int
    path: str = ""
    mode: str = ""
    maxconn: str = ""


@record
class ConfigEvidence:
    """What a configuration says, of one file or of several.

    ``globals`` are the settings of section ``global`` that are known to hold no secret, by keyword, each with all
    lines that set it: the last one counts (``last``). A keyword with the prefix ``no`` has the value ``off``.
    """

    sections: tuple[Setting, ...] = ()
    peers: tuple[PeersSection, ...] = ()
    tables: tuple[Table, ...] = ()
    uses: tuple[TableUse, ...] = ()
    proxies: tuple[Proxy, ...] = ()
    globals: dict[str, tuple[Setting, ...]] | None = None

    def all(self, keyword: str) -> tuple[Setting, ...]:
        """Every line of section ``global`` that sets the keyword."""
        return (self.globals or {}).get(keyword, ())

    def last(self, keyword: str) -> Setting | None:
        """The setting that counts, None where the configuration does not make it."""
        found = self.all(keyword)
        return found[-1] if found else None

    @property
    def threads(self) -> Setting | None:
        """``nbthread``."""
        return self.last("nbthread")

    @property
    def tune(self) -> dict[str, Setting]:
        """The settings ``tune.*`` that count."""
        return {name: found[-1] for name, found in (self.globals or {}).items() if name.startswith("tune.")}

    @property
    def tables_with_peers(self) -> tuple[Table, ...]:
        """The stick-tables that are synchronised with peers."""
        return tuple(table for table in self.tables if table.peers)
