"""Kept layouts held against the memory of a process: what does not fit is refuted, what fits is proven.

A stripped build does not declare its structures. Those that are kept for its release (``symbols/kept.py``) may be
those of a build with other options or patches, so nothing is believed unchecked: sizes of exported variables and of
pools, arrays whose elements know their own number, and objects that point at each other must agree with memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from forensics.absence import Absence
from forensics.haproxy.release import find_release
from forensics.haproxy.structs import NO_SYMBOLS, Struct, TypedMemory
from forensics.haproxy.walks import Walk, iter_chain, iter_list
from forensics.record import record
from forensics.symbols.kept import KeptLayouts, features_in, kept_for
from forensics.symbols.layout import Layout
from forensics.unwind.backtrace import Process

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
#: What a pool's size may exceed its structure by (bytes): rounding up to a cache line, and what -dM adds.
_ROUNDING = 64 + 32
#: The largest object of a pool that is believed (bytes).
_LARGEST = 1 << 24

#: Elements that a check looks at.
_FEW = 32
_LONGEST_ID = 256


@record
class Finding:
    """What one check says of a structure. Objects in memory may be damaged, what symbol tables say is ``certain``."""

    struct: str
    fits: bool
    words: str
    certain: bool = False


@record
class Fit:
    """Kept layouts and what memory says of them, each by the structure's name.

    Where the layouts are those of a neighbour of the release, or where memory refutes some, only those are given
    that are proven, or alike in all releases that are kept.
    """

    layouts: KeptLayouts
    proven: Mapping[str, str]
    refuted: Mapping[str, str]

    @property
    def trusted(self) -> bool:
        """Whether what could not be checked is believed, too."""
        return self.layouts.exact and bool(self.proven) and not self.refuted

    def layout(self, name: str) -> Layout | Absence:
        """The layout of ``struct name``, if there is reason to believe it."""
        owner, subject = name.split(".", 1)[0], f"struct {name}"
        kept = self.layouts
        if owner in self.refuted:
            return Absence(subject, f"the {kept.source} does not fit this build: {self.refuted[owner]}", NO_SYMBOLS)
        if owner in self.proven or owner in kept.steady:
            return kept.struct(name)
        if not self.trusted:
            why = "something else in them does not fit" if self.refuted else "nothing in memory proves it"
            return Absence(subject, f"the {kept.source} is not believed: {why}", NO_SYMBOLS)
        if owner in kept.varies and not kept.same_options:
            return Absence(subject, f"the {kept.source} is that of a build with other options", NO_SYMBOLS)
        return kept.struct(name)

    def enumeration(self, name: str) -> dict[int, str] | Absence:
        """The names of ``enum name``, where the release is the same."""
        return self.layouts.enumeration(name) if self.trusted else Absence(f"enum {name}", "none is believed")


def find_fit(process: Process) -> Fit | Absence:
    """The kept layouts that fit the process best."""
    release = find_release(process)
    if isinstance(release, Absence):
        return Absence("layouts of structures", f"the release is not known: {release.reason}", NO_SYMBOLS)
    found = kept_for(release.version, process.core.machine, _features(process))
    if isinstance(found, Absence):
        return Absence(found.subject, found.reason, NO_SYMBOLS)
    fits = [fit for fit in (held_against(process, kept) for kept in found[:4])]
    return min(fits, key=lambda fit: (len(fit.refuted), not fit.layouts.exact, not fit.layouts.same_options))


def _features(process: Process) -> frozenset[str] | None:
    """Those features of the build that change structures; None where ``build_features`` is not to be had."""
    space = TypedMemory(process)
    address = space.word("build_features")
    text = address if isinstance(address, Absence) else space.text(address, 4096)
    return None if isinstance(text, Absence) or "THREAD" not in text else features_in(text)


def held_against(process: Process, kept: KeptLayouts) -> Fit:
    """What all checks say of ``kept``."""
    space = TypedMemory(process, kept)
    found: dict[str, list[Finding]] = {}
    for check in CHECKS:
        for finding in check(space):
            found.setdefault(finding.struct, []).append(finding)
    refuted = {name: words for name, words in ((name, _refutation(ones)) for name, ones in found.items()) if words}
    proven = {name: ones[0].words for name, ones in found.items() if name not in refuted}
    return Fit(kept, proven, refuted)


def _refutation(findings: list[Finding]) -> str:
    """What refutes a structure, "" where it fits: one certain finding, or as many as there are for it.

    The process may have died of damage, so one object that looks wrong among many that do not is no refutation.
    """
    against = [one for one in findings if not one.fits]
    certain = next((one.words for one in against if one.certain), "")
    if certain or not against:
        return certain
    return against[0].words if 2 * len(against) >= len(findings) else ""


def sizes_of_variables(space: TypedMemory) -> Iterator[Finding]:
    """The symbol table knows the size of each variable: it must be that of its structure, or a multiple of it."""
    for variable, name in _SINGLE:
        extent, layout = space.extent(variable), space.layout(name)
        if extent and layout:
            words = f"the variable {variable} has {extent[1]} bytes, struct {name} {layout.size}"
            yield Finding(name, extent[1] == layout.size, words, certain=True)
    yield from _sizes_of_arrays(space, _PER_THREAD)
    yield from _sizes_of_arrays(space, _PER_GROUP)


def _sizes_of_arrays(space: TypedMemory, rows: tuple[tuple[str, str], ...]) -> Iterator[Finding]:
    """Arrays of one kind have the same number of elements (MAX_THREADS, MAX_TGROUPS); most of them are right."""
    counts: dict[str, float] = {}
    for variable, name in rows:
        extent, layout = space.extent(variable), space.layout(name)
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
        yield Finding("pool_head", sane, f"the pool that {variable} leads to is called {called or '?'!r}")
        if sane and layout and isinstance(size, int):
            words = f"objects of {variable} have {size} bytes, struct {name} {layout.size}"
            yield Finding(name, layout.size <= size < layout.size + _ROUNDING, words)


def threads(space: TypedMemory) -> Iterator[Finding]:
    """``global.nbthread`` is the number of threads that run, and each thread's own data has its number."""
    whole = space.object("global", "global")
    number = whole.number("nbthread") if whole else whole
    if not isinstance(number, int):
        return
    there = len(space.process.core.threads)
    sane = 0 < number <= 4096
    yield Finding("global", sane, f"global.nbthread is {number}, and the core has {there} threads")
    own = [one.number("tid") for one in space.array("ha_thread_info", "thread_info", min(number if sane else 0, _FEW))]
    if own:
        words = f"ha_thread_info[].tid are {', '.join(map(str, own[:4]))}"
        yield Finding("thread_info", own == list(range(len(own))), words)


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
        yield Finding("proxy", _is_readable(called), f"the proxy at {proxy.address:#x} is called {called or '?'!r}")
        yield from _own_task(proxy, "task")
        yield from _servers(proxy)
        yield from _listeners(proxy)


def tables(space: TypedMemory) -> Iterator[Finding]:
    """``stktables_list``: each table has a name that can be read, and its task has the table as context."""
    for table in _chain(space, "stktables_list", "stktable"):
        called = table.text("id", _LONGEST_ID)
        yield Finding("stktable", _is_readable(called), f"the table at {table.address:#x} is called {called or '?'!r}")
        yield from _own_task(table, "exp_task")


def peers(space: TypedMemory) -> Iterator[Finding]:
    """``cfg_peers``: each section and each peer has a name that can be read."""
    for section in _chain(space, "cfg_peers", "peers"):
        called = section.text("id", _LONGEST_ID)
        yield Finding("peers", _is_readable(called), f"the peers at {section.address:#x} are called {called or '?'!r}")
        for peer in _followed(section, "remote", "peer"):
            called = peer.text("id", _LONGEST_ID)
            yield Finding("peer", _is_readable(called), f"the peer at {peer.address:#x} is called {called or '?'!r}")


def descriptors(space: TypedMemory) -> Iterator[Finding]:
    """``fdtab``: what handles a descriptor is code."""
    first, layout = space.word("fdtab"), space.layout("fdtab")
    if not isinstance(first, int) or not first or isinstance(layout, Absence):
        return
    entries = [space.at("fdtab", first + index * layout.size) for index in range(_FEW)]
    handlers = [entry.number("iocb") for entry in entries if entry and entry.number("owner")]
    if handlers:
        right = sum(isinstance(one, int) and space.is_code(one) for one in handlers)
        yield Finding("fdtab", right == len(handlers), f"{right} of {len(handlers)} handlers of descriptors are code")


def streams(space: TypedMemory) -> Iterator[Finding]:
    """Streams of the first threads: each one's task has the stream as context, and its session a proxy."""
    known = {proxy.address for proxy in _chain(space, "proxies_list", "proxy")}
    layout = space.layout("stream")
    for context in space.array("ha_thread_ctx", "thread_ctx", 4) if layout else ():
        head, link = context.address_of("streams"), layout.fields.get("list") if layout else None
        for element in iter_list(space.memory, head, Walk(), _FEW) if isinstance(head, int) and link else ():
            stream = space.at("stream", element - link.offset)
            if not stream:
                return
            yield from _own_task(stream, "task")
            session = stream.follow("sess", "session")
            if session and known:
                fits = session.number("fe") in known
                yield Finding("session", fits, f"the session at {session.address:#x} has {'a' if fits else 'no'} proxy")


def _own_task(owner: Struct, member: str) -> Iterator[Finding]:
    """A task whose context is the structure that it belongs to proves both."""
    task = owner.follow(member, "task")
    name = owner.layout.name
    if not owner.number(member):
        return
    fits = bool(task) and task.number("context") == owner.address if task else False
    yield Finding(name, fits, f"the task of the {name} at {owner.address:#x} has {'it' if fits else 'something else'}")
    if fits and task:
        handler = task.number("process")
        yield Finding("task", isinstance(handler, int) and owner.space.is_code(handler), "a task's handler is code")


def _servers(proxy: Struct) -> Iterator[Finding]:
    for server in _followed(proxy, "srv", "server"):
        called = server.text("id", _LONGEST_ID)
        fits = _is_readable(called) and server.number("proxy") == proxy.address
        yield Finding("server", fits, f"the server at {server.address:#x} has {'its' if fits else 'no'} proxy")


def _listeners(proxy: Struct) -> Iterator[Finding]:
    """Listeners hang on their proxy's list by their settings' member, and these know the proxy."""
    space, head = proxy.space, proxy.address_of("conf.listeners")
    layout = space.layout("listener")
    link = layout.fields.get("by_fe") if layout else None
    for element in iter_list(space.memory, head, Walk(), _FEW) if isinstance(head, int) and link else ():
        listener = space.at("listener", element - link.offset)
        settings = listener.follow("bind_conf", "bind_conf") if listener else None
        fits = bool(settings) and settings.number("frontend") == proxy.address if settings else False
        words = f"the settings of the listener that hangs at {element:#x} lead to {'its' if fits else 'no'} proxy"
        yield Finding("listener", fits, words)
        yield Finding("bind_conf", fits, words)


def _chain(space: TypedMemory, variable: str, name: str) -> Iterator[Struct]:
    """The first structures that a global pointer leads to, by their member ``next``."""
    first = space.word(variable)
    yield from _linked(space, first if isinstance(first, int) else 0, name)


def _followed(owner: Struct, member: str, name: str) -> Iterator[Struct]:
    first = owner.number(member)
    yield from _linked(owner.space, first if isinstance(first, int) else 0, name)


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
