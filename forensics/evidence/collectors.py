"""The collectors that ask a core, in the order of the report."""

from __future__ import annotations

from forensics.evidence.core_witness import Collector
from forensics.evidence.from_core import collect_crash, collect_peers, collect_process, collect_stacks
from forensics.evidence.from_death import collect_death, collect_trouble
from forensics.evidence.from_memory import collect_address
from forensics.evidence.from_state_threads import collect_locks, collect_threads
from forensics.evidence.from_tables import collect_layout, collect_tables
from forensics.evidence.settings import collect_settings
from forensics.evidence.tables_state import collect_table_state

COLLECTORS: tuple[Collector, ...] = (
    collect_process,
    collect_crash,
    collect_death,
    collect_stacks,
    collect_layout,
    collect_peers,
    collect_trouble,
    collect_settings,
    collect_threads,
    collect_locks,
    collect_address,
    collect_tables,
    collect_table_state,
)
