"""`show table`: the stick-tables; `show table NAME`: the entries of one (cli_io_handler_table(), stick_table.c)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from forensics.absence import Absence
from forensics.haproxy.clock import Moment, read_moment
from forensics.haproxy.state import State
from forensics.haproxy.stick_entry import Entries, Entry
from forensics.haproxy.stick_table import StickTable, read_tables
from forensics.haproxy.walks import Walk
from forensics.show.answer import Answer, Question

#: What stands for a key that is hidden.
HIDDEN = "<key>"

_T = TypeVar("_T")


def answer(state: State, question: Question) -> Answer | Absence:
    """All tables, or the entries of the one that is named, in HAProxy's order."""
    walk = Walk()
    tables = read_tables(state.space, walk)
    if isinstance(tables, Absence):
        return tables
    if not tables and walk.broken is None:
        return Absence("stick-tables", "the process has none (stktables_list is NULL)")
    if not question.arguments:
        some = [table for table in _page(tables, question) if table.size]
        return Answer(lambda: map(head_line, some), lambda: list(map(plain_table, some)), lambda: _broken_list(walk))
    table = next((one for one in tables if one.id == question.arguments[0]), None)
    if table is None:
        known = ", ".join(one.id for one in tables[:20]) or "none"
        return Absence(f"table {question.arguments[0]}", "there is no such table", f"there are: {known}")
    now = read_moment(state.space)
    entries = Entries(state.space, table, now.ms if isinstance(now, Moment) else 0)
    return _entries_answer(table, entries, question, now, walk)


def _entries_answer(
    table: StickTable, entries: Entries, question: Question, now: Moment | Absence, walk: Walk
) -> Answer | Absence:
    if entries.missing is not None:
        return entries.missing
    unread: list[Absence] = []

    def some() -> Iterator[Entry]:
        for address in _page(entries.addresses(), question):
            entry = entries.read(address)
            if isinstance(entry, Entry):
                yield entry
            else:
                unread.append(entry)

    def lines() -> Iterator[str]:
        yield head_line(table)
        for entry in some():
            yield entry_line(entry, scrub=question.scrub)

    def gaps() -> tuple[Absence, ...]:
        clock = () if isinstance(now, Moment) else (now,)
        return (*_broken_list(walk), *clock, *_broken_tree(table, entries, question), *unread[:1])

    return Answer(
        lines,
        lambda: plain_table(table) | {"entries": [plain_entry(one, scrub=question.scrub) for one in some()]},
        gaps,
    )


def _page(things: Iterable[_T], question: Question) -> Iterator[_T]:
    """The part that was asked for."""
    return islice(things, question.offset, question.offset + question.limit if question.limit else None)


def _broken_list(walk: Walk) -> tuple[Absence, ...]:
    if walk.broken is None:
        return ()
    at = f"the list of tables is broken at {walk.broken.address:#x}: {walk.broken.reason}"
    return (Absence("tables behind a broken link", at),)


def _broken_tree(table: StickTable, entries: Entries, question: Question) -> Iterator[Absence]:
    """Damage, and entries that the table counts and its tree does not hold, where all were visited."""
    walk = entries.walk
    if walk.broken is not None:
        at = f"the tree is broken at {walk.broken.address:#x}, which holds {walk.broken.value:#x}: {walk.broken.reason}"
        yield Absence(f"entries of table {table.id} behind a broken link", at)
    if not question.limit and walk.visited != table.used:
        yield Absence(
            f"all entries of table {table.id}",
            f"its tree holds {walk.visited} entries and the table counts {table.used}",
        )


def head_line(table: StickTable) -> str:
    """The line of one table."""
    return f"# table: {table.id}, type: {table.type}, size:{table.size}, used:{table.used}"


def entry_line(entry: Entry, *, scrub: bool) -> str:
    """The line of one entry; whoever looks it up counts as a user himself, which HAProxy takes off."""
    key = HIDDEN if scrub else entry.key
    shard = "" if entry.shard is None else f" shard={entry.shard}"
    data = "".join(f" {name}={HIDDEN if scrub and secret else value}" for name, value, secret in entry.values)
    return f"{entry.address:#x}: key={key} use={entry.use} exp={entry.expires_in}{shard}{data}"


def plain_table(table: StickTable) -> dict[str, object]:
    """A table for JSON."""
    return {
        "name": table.id, "address": table.address, "type": table.type, "key_size": table.key_size, "size": table.size,
        "used": table.used, "expire_ms": table.expire, "data": [one.label() for one in table.data],
        "layout": table.layout, "source": f"{table.file}:{table.line}", "proxy": table.proxy, "peers": table.peers,
        "exp_task": table.exp_task,
        "locks": [
            {"member": one.member, "address": one.address, "state": one.word.state, "word": f"{one.word.word:#x}"}
            for one in table.locks
            if not one.word.free or "." not in one.member
        ],
    }  # fmt: skip


def plain_entry(entry: Entry, *, scrub: bool) -> dict[str, object]:
    """An entry for JSON."""
    return {
        "address": entry.address, "key": HIDDEN if scrub else entry.key, "use": entry.use, "exp_ms": entry.expires_in,
        "shard": entry.shard,
        "data": {name: HIDDEN if scrub and secret else value for name, value, secret in entry.values},
    }  # fmt: skip
