"""A batch as lines of text: one an input, then the groups."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from forensics.batch.digest import Digest
from forensics.batch.groups import Group, Groups
from forensics.batch.inputs import Ignored
from forensics.record import record
from forensics.report.lines import Line
from forensics.report.safe_text import one_line
from forensics.report.words import plural

#: Width where nobody says another.
WIDTH = 144

_NARROWEST, _WIDEST = 80, 200

#: Columns that keep their width: verdict, fingerprint, and the gaps between all.
_VERDICT, _FINGERPRINT, _GAPS = 11, 12, 10

#: Inputs shown of a group, and of those apart.
_SHOWN, _SHOWN_APART = 3, 20

_STYLES = {"unexplained": "nothing", "no crash": "dim", "failed": "warning", "timed out": "warning", "died": "warning"}


@record
class Columns:
    """The widths of what may be cut."""

    path: int
    what: int
    version: int
    where: int

    @classmethod
    def of(cls, width: int) -> Columns:
        """Columns for lines of ``width``."""
        version = 17 if width >= 120 else 10
        free = max(_NARROWEST, min(_WIDEST, width)) - _VERDICT - version - _FINGERPRINT - _GAPS
        path, what = free * 35 // 100, min(36, free * 36 // 100)
        return cls(path, what, version, free - path - what)


def input_line(one: Digest, columns: Columns) -> Line:
    """One input on one line."""
    style = _STYLES.get(one.verdict, one.verdict)
    head = f"{_tail(one.path, columns.path):<{columns.path}}  {one.verdict:<{_VERDICT}}"
    if not one.analysed:
        rest = columns.what + columns.version + columns.where + _FINGERPRINT + 6
        return Line(style, f"{head}  {one_line(_unquoted(one), rest)}".rstrip())
    parts = (
        head, _cut(one.what, columns.what), _cut(one.version, columns.version), _cut(one.where, columns.where),
        one.fingerprint if one.groups else "",
    )  # fmt: skip
    return Line(style, "  ".join(parts).rstrip())


def group_lines(groups: Groups, width: int = WIDTH) -> Iterator[Line]:
    """The groups, biggest first, and apart from them what does not belong to any."""
    width = max(_NARROWEST, min(_WIDEST, width))
    found = groups.biggest_first()
    if found:
        yield from _heading(f"equal crashes: {plural(len(found), 'group')}")
    for each in found:
        yield from _group(each, width)
    yield from _apart("crashes too little known to group", groups.alone, groups.alone_count, width)
    yield from _apart("no crash", groups.healthy, groups.healthy_count, width)
    yield from _failures(groups, width)


def summary(groups: Groups, ignored: Ignored) -> str:
    """What was done, in a line or two."""
    done = [plural(groups.inputs, "input"), f"{groups.inputs - groups.failed_count} analysed"]
    done += [f"{groups.failed_count} could not be"] if groups.failed_count else []
    crashes = f"{groups.crashes} with a crash, {groups.healthy_count} without"
    text = f"{', '.join(done)}; {crashes}\n"
    if ignored.count:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in ignored.count.most_common())
        text += f"ignored in directories: {reasons}\n"
    return text


def _group(each: Group, width: int) -> Iterator[Line]:
    best = each.best
    verdict = f"at best {best.verdict}" if len(each.verdicts) > 1 else best.verdict
    head = f"{f'{each.count} x':>6}  {verdict:<17}  {_cut(best.what, 36)}  {best.fingerprint}"
    yield Line(_STYLES.get(best.verdict, best.verdict), head)
    facts = {
        "verdicts": ", ".join(_counted(each.verdicts)) if len(each.verdicts) > 1 else "",
        "version": ", ".join(_counted(each.versions)),
        "where": best.where,
        "stack": " <- ".join(best.frames),
        "inputs": ", ".join(each.inputs[:_SHOWN]) + (f" and {each.count - _SHOWN} more" if each.count > _SHOWN else ""),
    }
    for name, text in facts.items():
        yield from _wrapped(text, f"        {name:<10}", width)


def _counted(values: Counter[str]) -> list[str]:
    """Values, the most frequent first, with how often each was seen where there are several."""
    return list(values) if len(values) == 1 else [f"{value} ({count})" for value, count in values.most_common()]


def _apart(title: str, kept: list[Digest], count: int, width: int) -> Iterator[Line]:
    if not count:
        return
    yield from _heading(f"{title}: {count}")
    for one in kept[:_SHOWN_APART]:
        facts = ", ".join(each for each in (one.what, one.version) if each)
        yield from _wrapped(f"{one.path}{f' ({facts})' if facts else ''}", "  ", width)
    yield from _more(count)


def _failures(groups: Groups, width: int) -> Iterator[Line]:
    if not groups.failed_count:
        return
    yield from _heading(f"could not be analysed: {groups.failed_count}")
    for one in groups.failed[:_SHOWN_APART]:
        yield from _wrapped(one.path if one.path in one.error else f"{one.path}: {one.verdict}", "  ", width)
        yield from _wrapped(one.error, "        ", width)
        yield from _wrapped(f"hint: {one.hint}" if one.hint else "", "        ", width)
    yield from _more(groups.failed_count)


def _more(count: int) -> Iterable[Line]:
    return [Line("plain", f"  and {count - _SHOWN_APART} more")] if count > _SHOWN_APART else []


def _heading(title: str) -> Iterable[Line]:
    return (Line("plain", ""), Line("heading", title.upper()))


def _wrapped(text: str, first: str, width: int) -> Iterator[Line]:
    rest = " " * len(first)
    wrap = textwrap.wrap(one_line(text), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return (Line("plain", line) for line in wrap)


def _unquoted(one: Digest) -> str:
    """The error without the path, which stands before it on the line."""
    return one.error.replace(f"`{one.path}`", "it")


def _cut(text: str, width: int) -> str:
    return f"{one_line(text, width):<{width}}"


def _tail(path: str, width: int) -> str:
    """A path by its end, which tells more."""
    line = one_line(path, 10_000)
    return line if len(line) <= width else f"...{line[3 - width :]}"
