"""Facts of what a dying process wrote before it ended itself: damaged pools, endless loops, libc, AddressSanitizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from forensics.culprit import culprit_index
from forensics.evidence.fact import Fact
from forensics.logs import BugReport, LogEvidence, Mention, PastedFrame, PastedThread, parse_symbol
from forensics.logs.report_lines import belongs
from forensics.names import UNNAMED, plain_name
from forensics.source import Source

#: Crash kinds of the lines that pools and the loop guard print, before an assertion that says nothing.
ANNOUNCED = {"pool": "pool_corruption", "spinning": "spinning"}

#: What those end in who abort(); AddressSanitizer exits.
_ABORTS = ("libc abort", "lua", "openssl")
#: Functions in which pools check themselves: up to 2.9-dev5 they print nothing but a call trace (src/pool.c).
_POOL_CHECKS = {
    "__pool_free": "tag mismatch on free()",
    "pool_check_pattern": "it was written to after it had been freed",
    # pool_check_pattern() is inlined there (2.8), and nothing else in it aborts.
    "__pool_alloc": "it was written to after it had been freed",
}
#: What the first line of the report says whose head is lost, in the words that a core is described with.
_OVERWRITTEN = "it was written to after it had been freed"
_SPINNING = re.compile(r"(\w+) \[([^\]]*)\] is spinning at (\d+) ")
_SANITIZER = re.compile(r"__interceptor_|___interceptor_|_?_?_?asan_|__sanitizer|_?__hwasan|operator$")
#: The stacks below that of the access, in the order in which AddressSanitizer prints them.
_ASAN_STACKS = (("asan freed", "freed"), ("asan allocated", "allocated"))
_LIBC = re.compile(r"(?:^|/)libc(?:-[\d.]+)?\.so")
#: Lines between a message and the stack below it.
_NEAR = 12


def announced(bug: BugReport, log: LogEvidence) -> Mention | None:
    """What HAProxy said right before an ABORT_NOW() that says nothing itself."""
    if bug.kind != "abort_now" or bug.file:
        return None
    said = [one for one in log.mentions if one.what in ANNOUNCED and belongs(one.origin, bug.origin)]
    return said[-1] if said else None


def silent_pool_check(bug: BugReport, source: Source) -> Iterator[Fact]:
    """Facts of an ABORT_NOW() in a check of pools that is known by its call trace alone; none for any other."""
    damage = _POOL_CHECKS.get(bug.frames[0].function) if bug.frames and not bug.file else None
    if bug.kind != "abort_now" or damage is None:
        return
    yield Fact("crash.kind", "pool_corruption", source, "derived")
    yield Fact("pool.damage", damage, source, "derived")
    caller = bug.frames[1].function if len(bug.frames) > 1 else UNNAMED
    if caller != UNNAMED and bug.frames[0].function == "__pool_free":
        yield Fact("pool.second_free", caller, source)


def collect_report(said: Mention, log: LogEvidence, path: str) -> Iterator[Fact]:
    """The facts of one announcement, with the lines that belong to it."""
    source = Source(path, f"{said.what}: {said.value}", line=said.line)
    details = _details(said, log)
    if said.what == "pool":
        yield from _pool(said, details, path, source)
    elif said.what == "spinning":
        yield from _spinning(said, details, source)
    else:
        yield from _library(said, details, log, path, source)


def _details(said: Mention, log: LogEvidence) -> dict[str, Mention]:
    """The lines of the report, the first of each kind."""
    found: dict[str, Mention] = {}
    for one in log.mentions:
        if belongs(said.origin, one.origin) and one is not said:
            found.setdefault(one.what, one)
    return found


def _pool(said: Mention, details: dict[str, Mention], path: str, source: Source) -> Iterator[Fact]:
    named = details.get("pool name") or details.get("pool tagged")
    first = _function(details, "pool free") or _function(details, "pool recorded")
    second = _function(details, "pool caller")
    damage = _OVERWRITTEN if said.value.startswith("Contents around") else said.value.rstrip(".")
    yield Fact("crash.kind", ANNOUNCED["pool"], source)
    before, now = f"freed by {first} before" if first else "", f"now by {second}" if second else ""
    told = ", ".join(part for part in (before, now) if part)
    yield Fact("crash.explanation", f"{damage}: {told}" if told else damage, source)
    yield Fact("pool.damage", damage, source)
    if named is not None:
        yield Fact("pool.name", named.value, Source(path, "pool of the report", line=named.line))
    for fact, function, whats in (
        ("pool.first_free", first, ("pool free", "pool recorded")), ("pool.second_free", second, ("pool caller",)),
    ):  # fmt: skip
        line = next((details[what].line for what in whats if what in details), said.line)
        if function:
            yield Fact(fact, function, Source(path, "report of the damaged pool", line=line))


def _function(details: dict[str, Mention], what: str) -> str:
    """The function that such a line names, "" where the name cannot be trusted."""
    name = parse_symbol(details[what].value).function if what in details else UNNAMED
    return "" if name == UNNAMED else name


def _spinning(said: Mention, details: dict[str, Mention], source: Source) -> Iterator[Fact]:
    yield Fact("crash.kind", ANNOUNCED["spinning"], source)
    yield Fact("crash.explanation", said.value, source)
    yield Fact("crash.message", f"A bogus {said.value}", source)
    if match := _SPINNING.match(said.value):
        yield Fact("spinning.object", match[1], source)
        yield Fact("spinning.rate", int(match[3]), source)
    for fact, what in (("spinning.frontend", "stream frontend"), ("spinning.backend", "stream backend")):
        if what in details:
            yield Fact(fact, details[what].value, source)
    applet = _function(details, "stream applet")
    if applet:
        yield Fact("spinning.applet", applet, source)
    waiting = [
        f"{side} 0x{details[what].value.lstrip('0') or '0'}"
        for side, what in (("request", "stream request"), ("response", "stream response"))
        if what in details
    ]
    if waiting:
        yield Fact("spinning.analysers", tuple(waiting), source)


def _library(said: Mention, details: dict[str, Mention], log: LogEvidence, path: str, source: Source) -> Iterator[Fact]:
    """What libc, Lua, OpenSSL or AddressSanitizer said last."""
    about = _about(said.value) if said.what == "libc abort" else said.what
    yield Fact("crash.kind", "heap_corruption" if about in ("heap", "overrun", "asan") else "unknown", source)
    if said.what in _ABORTS:
        yield Fact("crash.signal", "SIGABRT", Source(path, "abort() follows these words", line=said.line), "derived")
    stacks = _stacks_below(said, log)
    words = said.value
    if said.what == "asan":
        words = _asan_words(said, details, stacks)
        if "asan address" in details:
            yield Fact("crash.address", int(details["asan address"].value, 16), source)
    yield Fact("crash.explanation", words, source)
    yield Fact("crash.message", said.value, source)
    if stacks:
        yield from _stack(stacks[0], path)


def _about(text: str) -> str:
    """What libc's words are about, as for those that a core keeps."""
    from forensics.haproxy.death.libc_message import LibcMessage

    return LibcMessage(text, 0, "").about


def _stacks_below(said: Mention, log: LogEvidence) -> Sequence[PastedThread]:
    """The stacks that are printed below a message."""
    for paste in log.backtraces:
        threads = [one for one in paste.threads if one.frames and one.frames[0].line >= said.line]
        if threads and threads[0].frames[0].line - said.line <= _NEAR:
            return threads
    return ()


def _stack(thread: PastedThread, path: str) -> Iterator[Fact]:
    frames = _own(thread.frames)
    functions = [plain_name(frame.function) for frame in frames]
    start = culprit_index(functions, [frame.module for frame in frames])
    source = Source(path, "stack below the message", line=frames[0].line if frames else None)
    if any(name != UNNAMED for name in functions[start:]):
        yield Fact("stack", tuple(functions[start:]), source)
        culprit = frames[start]
        if culprit.file and culprit.line_number:
            yield Fact("crash.source_file", culprit.file, source)
            yield Fact("crash.source_line", culprit.line_number, source)


def _own(frames: Sequence[PastedFrame]) -> Sequence[PastedFrame]:
    """The frames below those of AddressSanitizer and of libc, which print the stack."""
    at = 0
    while at < len(frames) and (_SANITIZER.match(frames[at].function) or _LIBC.search(frames[at].module or "")):
        at += 1
    return frames[at:] or frames


def _asan_words(said: Mention, details: dict[str, Mention], stacks: Sequence[PastedThread]) -> str:
    """What AddressSanitizer found, in one sentence."""
    parts = [said.value]
    if "asan access" in details:
        parts.append(details["asan access"].value + _by(stacks[0] if stacks else None))
    told = [(what, words) for what, words in _ASAN_STACKS if what in details]
    titles = [details[what].line for what, _words in told]
    in_order = iter(stacks[1:])
    for title, (_what, words) in zip(titles, told, strict=True):
        # All lines of a message that was folded into one have the same number.
        stack = next(in_order, None) if title == said.line else _titled(title, titles, stacks)
        parts += [words + by] if (by := _by(stack)) else []
    return ", ".join(parts)


def _titled(title: int, titles: Sequence[int], stacks: Sequence[PastedThread]) -> PastedThread | None:
    """The stack that begins below a title and above the next one: lines of others can cut a stack into pieces."""
    end = min((line for line in titles if line > title), default=1 << 62)
    below = next((one for one in stacks if title < one.frames[0].line < end), None)
    return below if below is not None and below.frames[0].index == 0 else None


def _by(thread: PastedThread | None) -> str:
    frames = _own(thread.frames) if thread is not None else ()
    return f" by {plain_name(frames[0].function)}" if frames and frames[0].function != UNNAMED else ""
