"""The rule of the configuration that a stream evaluates, or evaluated last (``struct act_rule``, action-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.leads import Leads, number, text
from forensics.haproxy.structs import Struct
from forensics.record import record

#: STRM_ENTITY_RULE, STRM_ENTITY_FILTER and others (stream-t.h, 3.2).
_RULE, _FILTER = 1, 2
_OTHERS = {3: "wait for the request's body"}


@record
class Rule:
    """``keyword`` of the action ("" where it is not known), ``file`` and ``line`` in the configuration.

    What a stream did last may also be a filter (``kind``), whose name is then the keyword.
    """

    keyword: str
    file: str
    line: int
    kind: str = "rule"


def current_rule(stream: Struct, leads: Leads) -> Rule | Absence:
    """The rule that the stream stopped at, to go on with it later."""
    if not number(stream, "current_rule_list"):
        return Absence("current rule", "the stream stopped at none")
    rule = leads.follow(stream, "current_rule", "act_rule")
    return rule if isinstance(rule, Absence) else _rule(rule)


def _rule(rule: Struct) -> Rule:
    keyword = rule.follow("kw", "action_kw")
    name = "" if isinstance(keyword, Absence) else text(keyword, "kw")
    return Rule(name, text(rule, "conf.file"), number(rule, "conf.line"))


def last_rule(stream: Struct) -> Rule | Absence:
    """The last final rule: ``last_rule_file`` (2.6 to 3.1), ``last_entity`` since 3.2."""
    if stream.has("last_rule_file"):
        file = text(stream, "last_rule_file")
        return Rule("", file, number(stream, "last_rule_line")) if file else Absence("last rule", "none was final yet")
    if not stream.has("last_entity.type"):
        return Absence("last rule", "this build's streams do not remember it")
    kind = number(stream, "last_entity.type")
    if not kind:
        return Absence("last rule", "none was final yet")
    if kind == _RULE:
        rule = stream.follow("last_entity.ptr", "act_rule")
        return rule if isinstance(rule, Absence) else _rule(rule)
    if kind == _FILTER:
        struct = stream.follow("last_entity.ptr", "filter")
        config = struct if isinstance(struct, Absence) else struct.follow("config", "flt_conf")
        return Rule("" if isinstance(config, Absence) else text(config, "id"), "", 0, "filter")
    return Rule("", "", 0, _OTHERS.get(kind, str(kind)))
