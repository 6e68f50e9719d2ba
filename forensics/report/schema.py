"""The JSON Schema of the report document, made from its records."""

from __future__ import annotations

import types
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Union, get_args, get_origin, get_type_hints

from forensics.diagnosis.finding import VERDICTS, Finding
from forensics.evidence.timeline.entry import WHAT, TimelineEntry
from forensics.record import members
from forensics.report.document import CRASH_KINDS, MODULE_STATUS, CrashSummary, ModuleEntry, Report, StackFrame
from forensics.report.render_json import ADDRESSES, json_name
from forensics.unwind.frame import STATUS, TRUST

DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Closed lists of words. A later 1.x may add some, so only the strict schema insists on them.
_WORDS: dict[tuple[type, str], tuple[str, ...]] = {
    (CrashSummary, "kind"): CRASH_KINDS,
    (ModuleEntry, "status"): MODULE_STATUS,
    (Finding, "verdict"): VERDICTS,
    (StackFrame, "trust"): TRUST,
    (TimelineEntry, "what"): WHAT,
    (StackFrame, "status"): STATUS,
}

_PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number"}


def report_schema(strict: bool = False) -> dict[str, Any]:
    """The schema. ``strict`` refuses unknown members and words, which a reader should not."""
    definitions: dict[str, Any] = {}
    root = _reference(Report, definitions, strict)
    return {"$schema": DIALECT, "title": "haproxy-forensics report", **root, "$defs": definitions}


def _reference(cls: type, definitions: dict[str, Any], strict: bool) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        definitions[cls.__name__] = _object(cls, definitions, strict)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _object(cls: type, definitions: dict[str, Any], strict: bool) -> dict[str, Any]:
    hints = get_type_hints(cls)
    properties = {}
    for member in members(cls):
        shape = _shape(hints[member.name], member.name, definitions, strict)
        words = _WORDS.get((cls, member.name))
        if words:
            shape["enum" if strict else "examples"] = list(words)
        nullable = member.metadata.get("nullable")
        properties[json_name(member)] = {"anyOf": [shape, {"type": "null"}]} if nullable else shape
    described = {"type": "object", "description": cleandoc(cls.__doc__ or ""), "properties": properties}
    return {**described, "additionalProperties": False} if strict else described


def _shape(hint: Any, name: str, definitions: dict[str, Any], strict: bool) -> dict[str, Any]:
    """The schema of one type. None is left out: an unknown member is not in the document."""
    if get_origin(hint) in (Union, types.UnionType):
        choices = [_shape(each, name, definitions, strict) for each in get_args(hint) if each is not type(None)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _shape(get_args(hint)[0], "", definitions, strict)}
    if get_origin(hint) is Mapping:
        return {"type": "object"}
    if isinstance(hint, type) and hasattr(hint, "__record_members__"):
        return _reference(hint, definitions, strict)
    if hint is int and name in ADDRESSES:
        return {"type": "string", "pattern": "^0x[0-9a-f]+$"}
    return {"type": _PLAIN[hint]}
