"""Reports without what should not leave the house: addresses, mail addresses, secrets.

Each is replaced by a placeholder such as ``<ip-1>``; the same value has the same
placeholder all over one report. Loopback and unspecified addresses identify nobody and
stay. So do paths, flags, versions and memory addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from forensics.diagnosis.finding import CandidateFix, Fingerprint
from forensics.record import is_record, members, replace
from forensics.report.document import Report, StackFrame, ThreadGroup, Tool

#: Parts made of symbols and of our own words alone: nothing in them is free text.
_OWN = (StackFrame, ThreadGroup, Fingerprint, CandidateFix, Tool)

#: Members of our own making: versions, hashes, what a signature says.
_KEPT = frozenset(
    "schema_version version release_date build_id sha256 signature title kind verdict fact fixed_in upgrade_to "
    "remedy workaround references signal code".split()
)

#: Longest text that is looked through; what is beyond it goes.
LONGEST = 100_000

_PEM = re.compile(r"-----BEGIN [^\n-]{1,60}-----.*?(?:-----END [^\n-]{1,60}-----|\Z)", re.S)
_HEADER = re.compile(
    r"(?P<quote>[\"'])?\b(?P<keep>(?:proxy-)?authorization\s*[:=]\s*|(?:set-)?cookie2?:\s*|x-(?:api-key|auth-token):\s*)"
    r"(?P<secret>(?(quote)(?:(?!(?P=quote))[^\r\n])+|[^\r\n]+))",
    re.I,
)
_VALUE = r"(?P<secret>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&]+)"
_NAME_OF_ONE = r"[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|credentials?)"
#: ``==`` is a comparison of a condition, ``::`` a scope: neither gives a value.
_ASSIGNED = re.compile(rf"(?P<keep>\b{_NAME_OF_ONE}[\"']?\s*(?:=(?!=)|:(?!:))\s*){_VALUE}", re.I)
_FLAGGED = re.compile(rf"(?P<keep>(?<!\S)--?{_NAME_OF_ONE}\s+){_VALUE}", re.I)
_USERLIST = re.compile(rf"(?P<keep>\buser\s+\S{{1,80}}\s+(?:insecure-)?password\s+){_VALUE}", re.I)
_CREDENTIALS = re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]{1,20}://)(?P<secret>[^\s/@<>]{1,300})(?=@)", re.I)
_QUERY = re.compile(r"(?P<keep>://[^\s?#\"'<>]{1,2000}\?|[\w/]\?(?=[\w%.~+-]{1,100}=))(?P<secret>[^\s\"'<>]+)")
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}(?!(?:service|socket|scope|slice)\b)[A-Za-z]{2,24}\b"
)
#: A fifth part, or a letter before, makes it a version; ``.so.1.2.3.4`` is a library.
_IPV4 = re.compile(r"(?<![A-Za-z0-9])(?<!\d\.)(?<!so\.)(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
#: HAProxy's logs have the port behind the last group, with a colon.
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f.]*:)[0-9A-Fa-f:]{2,45}(?:\.\d{1,3}){0,3}(?!\w)")
_PLACEHOLDER = re.compile(r"[\"']?<[a-z]+-\d+>[\"']?")

_Thing = TypeVar("_Thing")


def scrub(report: Report) -> Report:
    """The report with placeholders; scrubbing a scrubbed report changes nothing."""
    return _Scrubber().part(report)


def scrub_text(text: str) -> str:
    """One text on its own, its placeholders counted from 1."""
    return _Scrubber().text(text)


def text_scrubber() -> Callable[[str], str]:
    """What scrubs the texts of one answer: the same value has the same placeholder in all of them."""
    return _Scrubber().text


class _Scrubber:
    """The placeholders given so far: ``<kind-number>`` for each value."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}
        self._done: dict[str, str] = {}

    def part(self, thing: _Thing) -> _Thing:
        """A record with its free text scrubbed, in the order of its members."""
        changed = {
            member.name: self._value(getattr(thing, member.name))
            for member in members(thing)
            if member.name not in _KEPT
        }
        return replace(thing, **changed)

    def text(self, text: str) -> str:
        """One text; the same text again costs nothing."""
        if text not in self._done:
            self._done[text] = self._scrubbed(text[:LONGEST])[:LONGEST]
        return self._done[text]

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple | list):
            return type(value)(self._value(each) for each in value)
        if isinstance(value, Mapping):
            return {self._value(key): self._value(each) for key, each in value.items()}
        if is_record(value) and not isinstance(value, _OWN):
            return self.part(value)
        return value

    def _scrubbed(self, text: str) -> str:
        text = _PEM.sub(lambda found: self._placeholder("secret", found[0]), text)
        text = _CREDENTIALS.sub(self._keeping("secret"), text)
        text = _QUERY.sub(self._keeping("query"), text)
        for pattern in (_HEADER, _USERLIST, _FLAGGED, _ASSIGNED):
            text = pattern.sub(self._keeping("secret"), text)
        text = _EMAIL.sub(lambda found: self._placeholder("email", found[0]), text)
        return _IPV4.sub(self._address, _IPV6.sub(self._address, text))

    def _keeping(self, kind: str) -> Callable[[re.Match[str]], str]:
        """A replacement that keeps what stands before the secret."""

        def replaced(found: re.Match[str]) -> str:
            before = found[0][: found.start("secret") - found.start()]
            return before + self._placeholder(kind, found["secret"])

        return replaced

    def _address(self, found: re.Match[str]) -> str:
        from ipaddress import ip_address  # a tenth of the cost of a small report, and few have addresses

        # A colon that ends a phrase is no part of the address; neither is "::" before it cut.
        text = found[0] if found[0].endswith("::") else found[0].rstrip(":")
        try:
            address = ip_address(text)
        except ValueError:
            before, _, port = text.rpartition(":")
            if not before or not port.isdecimal():
                return found[0]
            try:
                text, address = before, ip_address(before)
            except ValueError:
                return found[0]
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_loopback or plain.is_unspecified:
            return found[0]
        return self._placeholder("ip", str(address)) + found[0][len(text) :]

    def _placeholder(self, kind: str, value: str) -> str:
        if _PLACEHOLDER.fullmatch(value):
            return value
        key = (kind, value)
        if key not in self._given:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._given[key] = f"<{kind}-{self._count[kind]}>"
        return self._given[key]
