"""Checks whether layouts fit the memory of a process, each with its reason.

Sizes of exported variables and of pools, arrays whose elements know their own number, names that can be read, and
objects that point at each other must agree with memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_chain, iter_list
from forensics.record import record

#: Variables that are one structure, and those that are one for each thread, or for each group of threads.
_SINGLE = (("global", "global"), ("post_mortem", "post_mortem"))
_PER_THREAD = (
    ("ha_thread_info", "thread_info"), ("ha_thread_ctx", "thread_ctx"), ("activity", "activity"),
    ("task_per_thread", "task_per_thread"),
)  # fmt: skip
_PER_GROUP = (("ha_tgroup_info", "tgroup_info"), ("ha_tgroup_ctx", "tgroup_ctx"))

#: Pools that hold one structure (DECLARE_POOL in src/*.c).
_POOLS = (
    ("pool_head_task", "task"), ("pool_head_tasklet", "tasklet"), ("pool_head_stream", "stream"),
    ("pool_head_session", "session"), ("pool_head_connection", "connection"), ("pool_head_connstream", "stconn"),
    ("pool_head_sedesc", "sedesc"), ("pool_head_http_txn", "http_txn"), ("pool_head_pendconn", "pendconn"),
    ("pool_head_hlua", "hlua"), ("pool_head_appctx", "appctx"),
)  # fmt: skip
#: What a pool's size exceeds its structure by is less than this (bytes): create_pool() rounds up to 32 in 2.6.
_ROUNDING = 32
#: The largest object of a pool that is believed (bytes).
_LARGEST = 1 << 24

#: Elements that a check looks at.
_FEW = 32
_LONGEST_ID = 256


@record
class Finding:
    """What one check says of a structure.

    Objects in memory may be damaged, sizes in symbol tables and pools are ``certain``. ``through`` names the
    structure that led there: if that one is refuted, the finding is worth nothing. What is ``weak`` may fit by
    chance: a name that can be read, an address of code.
    """

    struct: str
    fits: bool
    words: str
    certain: bool = False
    through: str = ""
    weak: bool = False


def sizes_of_variables(space: TypedMemory) -> Iterator[Finding]:
    """The symbol table knows the size of each variable: it must be that of its structure, or a multiple of it."""
    for variable, name in _SINGLE:
        extent, layout = space.listed(variable), space.layout(name)
        if extent and layout:
            words = f"the variable {variable} has {extent[1]} bytes, struct {name} {layout.size}"
            yield Finding(name, extent[1] == layout.size, words, certain=True)
    yield from _sizes_of_arrays(space, _PER_THREAD)
    yield from _sizes_of_arrays(space, _PER_GROUP)


def _sizes_of_arrays(space: TypedMemory, rows: tuple[tuple[str, str], ...]) -> Iterator[Finding]:
    """Arrays of one kind have the same number of elements (MAX_THREADS, MAX_TGROUPS); most of them are right."""
    counts: dict[str, float] = {}
    for variable, name in rows:
        extent, layout = space.listed(variable), space.layout(name)
        if extent and layout and layout.size:
            counts[name] = extent[1] / layout.size
    usual = max(counts.values(), key=list(counts.values()).count, default=0)
    for name, count in counts.items():
        words = f"its array has {count:g} elements, that of its neighbours {usual:g}"
        yield Finding(name, count == usual and count == int(count), words, certain=True)


def sizes_of_pools(space: TypedMemory) -> Iterator[Finding]:
    """A pool says how large its objects are: its structure's size, rounded up."""
    for variable, name in _POOLS:
        pool, layout = space.pointed(variable, "pool_head"), space.layout(name)
        if not pool:
            continue
        size, called = pool.number("size"), pool.text("name", 16)
        sane = bool(_is_readable(called)) and isinstance(size, int) and 0 < size <= _LARGEST
        words = f"the pool that {variable} leads to is called {called or '?'!r}"
        yield Finding("pool_head", sane, words, weak=True)
        if sane and layout and isinstance(size, int):
            words = f"objects of {variable} have {size} bytes, struct {name} {layout.size}"
            fits = layout.size <= size < layout.size + _ROUNDING
            yield Finding(name, fits, words, certain=True, through="pool_head")


def threads(space: TypedMemory) -> Iterator[Finding]:
    """``global.nbthread`` is the number of threads that run, and each thread's own data has its number.

    Libraries may have threads of their own, and a process that starts has not all of its own yet: so only a number
    that cannot be a count refutes.
    """
    whole = space.object("global", "global")
    number = whole.number("nbthread") if whole else whole
    if not isinstance(number, int):
        return
    there = len(space.process.core.threads)
    sane = 0 < number <= 4096
    yield Finding("global", sane, f"global.nbthread is {number}, and the core has {there} threads", weak=True)
    for index, own in enumerate(space.array("ha_thread_info", "thread_info", min(number if sane else 0, _FEW))):
        words = f"ha_thread_info[{index}].tid is {own.number('tid')}"
        yield Finding("thread_info", own.number("tid") == index, words)


def lists_of_threads(space: TypedMemory) -> Iterator[Finding]:
    """Heads of lists in ``struct thread_ctx``: most lead to something that leads back, whatever crashed."""
    context = next(iter(space.array("ha_thread_ctx", "thread_ctx", 1)), None)
    if context is None:
        return
    heads = [context.address + field.offset + index * field.size
             for field in context.layout.fields.values() if field.kind == "struct" and field.target == "list"
             for index in range(min(field.count, _FEW))]  # fmt: skip
    kept = [leads for leads in (_leads_back(space, head) for head in heads) if leads is not None]
    if kept:
        words = f"{kept.count(True)} of {len(kept)} lists of the first thread lead back to their heads"
        yield Finding("thread_ctx", kept.count(True) * 2 > len(kept), words)


def _leads_back(space: TypedMemory, head: int) -> bool | None:
    """Whether the first element of a list leads back; None for a head that is not in use."""
    first = space.memory.word(head)
    if not isinstance(first, int) or not first:
        return None
    return space.memory.word(first + 8) == head


def proxies(space: TypedMemory) -> Iterator[Finding]:
    """``proxies_list``: each proxy has a name that can be read, and its task has the proxy as context."""
    for proxy in _chain(space, "proxies_list", "proxy"):
        called = proxy.text("id", _LONGEST_ID)
        yield _named(proxy, called)
        yield from _own_task(proxy, "task")
        yield from _servers(proxy)
        yield from _listeners(proxy)


def tables(space: TypedMemory) -> Iterator[Finding]:
    """``stktables_list``: each table has a name that can be read, and its task has the table as context."""
    for table in _chain(space, "stktables_list", "stktable"):
        called = table.text("id", _LONGEST_ID)
        yield _named(table, called)
        yield from _own_task(table, "exp_task")


def peers(space: TypedMemory) -> Iterator[Finding]:
    """``cfg_peers``: each section and each peer has a name that can be read."""
    for section in _chain(space, "cfg_peers", "peers"):
        called = section.text("id", _LONGEST_ID)
        yield _named(section, called)
        for peer in _followed(section, "remote", "peer"):
            called = peer.text("id", _LONGEST_ID)
            yield _named(peer, called, "peers")
            if peer.has("peers"):
                fits = peer.number("peers") == section.address
                words = f"the peer at {peer.address:#x} knows {'its' if fits else 'no'} section"
                yield Finding("peer", fits, words, through="peers")


def descriptors(space: TypedMemory) -> Iterator[Finding]:
    """``fdtab``: what handles a descriptor is code."""
    first, layout = space.word("fdtab"), space.layout("fdtab")
    if not isinstance(first, int) or not first or isinstance(layout, Absence):
        return
    entries = [space.at("fdtab", first + index * layout.size) for index in range(_FEW)]
    for entry in entries:
        if entry and entry.number("owner"):
            handler = entry.number("iocb")
            fits = isinstance(handler, int) and space.is_code(handler)
            words = f"what handles the descriptor at {entry.address:#x} is {'' if fits else 'no '}code"
            yield Finding("fdtab", fits, words, weak=True)


def streams(space: TypedMemory) -> Iterator[Finding]:
    """Streams of the first threads: each one's task has the stream as context, and its session a proxy."""
    known = {proxy.address for proxy in _chain(space, "proxies_list", "proxy")}
    for context in space.array("ha_thread_ctx", "thread_ctx", 4):
        for stream in _listed(space, context.address_of("streams"), "stream", "list"):
            yield from _own_task(stream, "task")
            session = stream.follow("sess", "session")
            if session and known:
                # Peers, resolvers and rings have proxies of their own, which are in no list.
                proxy = session.follow("fe", "proxy")
                fits = session.number("fe") in known or bool(proxy and _is_readable(proxy.text("id")))
                words = f"the session at {session.address:#x} has {'a' if fits else 'no'} proxy"
                yield Finding("session", fits, words, through="stream")


def _named(found: Struct, called: str | Absence, through: str = "") -> Finding:
    name = found.layout.name
    words = f"the {name} at {found.address:#x} is called {called or '?'!r}"
    return Finding(name, _is_readable(called), words, through=through, weak=True)


def _own_task(owner: Struct, member: str) -> Iterator[Finding]:
    """A task whose context is the structure that it belongs to proves both."""
    task = owner.follow(member, "task")
    name = owner.layout.name
    if not owner.number(member):
        return
    fits = task.number("context") == owner.address if task else False
    yield Finding(name, fits, f"the task of the {name} at {owner.address:#x} has {'it' if fits else 'something else'}")
    if fits and task:
        handler = task.number("process")
        is_code = isinstance(handler, int) and owner.space.is_code(handler)
        yield Finding(
            "task", is_code, f"the handler of a {name}'s task is {'' if is_code else 'no '}code", through=name
        )


def _servers(proxy: Struct) -> Iterator[Finding]:
    for server in _followed(proxy, "srv", "server"):
        called = server.text("id", _LONGEST_ID)
        fits = _is_readable(called) and server.number("proxy") == proxy.address
        words = f"the server at {server.address:#x} has {'its' if fits else 'no'} proxy"
        yield Finding("server", fits, words, through="proxy")


def _listeners(proxy: Struct) -> Iterator[Finding]:
    """Listeners hang on their proxy's list by their settings' member, and these know the proxy."""
    for listener in _listed(proxy.space, proxy.address_of("conf.listeners"), "listener", "by_fe"):
        settings = listener.follow("bind_conf", "bind_conf")
        fits = settings.number("frontend") == proxy.address if settings else False
        words = f"the settings of the listener at {listener.address:#x} lead to {'its' if fits else 'no'} proxy"
        yield Finding("listener", fits, words, through="proxy")
        yield Finding("bind_conf", fits, words, through="proxy")


def _chain(space: TypedMemory, variable: str, name: str) -> Iterator[Struct]:
    """The first structures that a global pointer leads to, by their member ``next``."""
    first = space.word(variable)
    yield from _linked(space, first if isinstance(first, int) else 0, name)


def _followed(owner: Struct, member: str, name: str) -> Iterator[Struct]:
    first = owner.number(member)
    yield from _linked(owner.space, first if isinstance(first, int) else 0, name)


def _listed(space: TypedMemory, head: int | Absence, name: str, member: str) -> Iterator[Struct]:
    """The first structures of a list whose links are their ``member``."""
    layout = space.layout(name)
    link = layout.fields.get(member) if layout else None
    if isinstance(head, Absence) or link is None:
        return
    for element in iter_list(space.memory, head, Walk(), _FEW):
        found = space.at(name, element - link.offset)
        if found:
            yield found


def _linked(space: TypedMemory, first: int, name: str) -> Iterator[Struct]:
    layout = space.layout(name)
    link = layout.fields.get("next") if layout else None
    for address in iter_chain(space.memory, first, link.offset, Walk(), _FEW) if first and link else ():
        found = space.at(name, address)
        if found:
            yield found


def _is_readable(text: str | Absence) -> bool:
    """Whether it is a name as configurations have them."""
    return isinstance(text, str) and bool(text) and text.isprintable() and "\ufffd" not in text


#: All checks, each with its reason.
CHECKS: tuple[Callable[[TypedMemory], Iterator[Finding]], ...] = (
    sizes_of_variables, sizes_of_pools, threads, lists_of_threads, proxies, tables, peers, descriptors, streams,
)  # fmt: skip
