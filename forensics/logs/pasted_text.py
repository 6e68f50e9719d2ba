"""What mail, forums and web pages put around the lines that somebody pastes."""

from __future__ import annotations

import re

#: Marks of a quotation. A mark right before "Thread" is a flag of HAProxy's thread dumps (">Thread 2").
_QUOTED = re.compile(r"(?:>{1,8}(?: |$|(?=[^>T\s]))){1,8}")
#: Code in Markdown is indented; what begins a line of a log is looked for at its beginning.
_INDENTED = re.compile(
    r"[ \t]{1,16}(?=[A-Z][a-z]{2} (?:[ \d]\d|\d) \d\d:\d\d:|\d{4}-\d\d-\d\d[T ]\d\d:|(?:haproxy|hapee)[\w-]{0,32}\[\d"
    r"|[\w.-]{1,128} +\| |/\S{1,512}\(|haproxy\()"
)
_TAGS = re.compile(r"</?(?:br|pre|code|p|div|blockquote)(?: [^<>]{0,200})?/?>")
_ENTITIES = (("&gt;", ">"), ("&lt;", "<"), ("&quot;", '"'), ("&#34;", '"'), ("&#39;", "'"), ("&#x27;", "'"),
             ("&nbsp;", " "), ("&amp;", "&"))  # fmt: skip
#: Blanks that do not break lines, characters without width, quotation marks that word processors turn.
_TURNED = str.maketrans({"\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u200b": None, "\u2060": None, "\ufeff": None,
                         "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"})  # fmt: skip
#: The commonest of them as bytes, which hide the beginnings of what is looked for.
ODD_BLANKS = ((b"\xc2\xa0", b" "), (b"\xe2\x80\x8b", b""))


def unpasted(text: str) -> str:
    """The line as the program wrote it."""
    if not text.isascii():
        text = text.translate(_TURNED)
    if "</" in text or "<br" in text or "<pre" in text:
        text = _TAGS.sub("", text)
    if "&" in text and ";" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    if text.startswith(">"):
        text = _QUOTED.sub("", text, count=1)
    if text[:1] in (" ", "\t"):
        text = _INDENTED.sub("", text, count=1) if _INDENTED.match(text) else text
    return text
