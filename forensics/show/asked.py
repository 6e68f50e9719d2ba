"""Asking a core: opened, checked to be HAProxy's, and handed to the module that answers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.errors import ForeignCore, NotInCore, UsageError
from forensics.haproxy.identity import is_haproxy, program_of
from forensics.haproxy.state import State
from forensics.memory.open import open_bytes
from forensics.show.whats import WHATS
from forensics.symbols.places import Places
from forensics.unwind.backtrace import Process

if TYPE_CHECKING:
    from typing import Protocol

    from forensics.show.answer import Answer, Question

    class Command(Protocol):
        """A module of this package that answers one command."""

        def answer(self, state: State, question: Question) -> Answer | Absence:
            """The answer, or why there is none."""


def ask(path: str, what: str, question: Question, places: Places) -> Answer:
    """The answer of the core at ``path``.

    UsageError for what is no command, InputError for what is no core of HAProxy, NotInCore where it does not say.
    """
    check(what, question)
    state = open_state(path, places)
    found = answer_of(state, what, question)
    state.process.save()
    if isinstance(found, Absence):
        raise NotInCore(f"`{path}` does not tell: {found.subject}: {found.reason}", found.remedy)
    from forensics.show.answer import Answer

    return Answer(found.lines, found.data, lambda: (*found.gaps(), *state.assumptions()))


def check(what: str, question: Question) -> None:
    """Raise UsageError for a question that no module answers."""
    if what not in WHATS:
        raise UsageError(f"there is no `show {what}`", f"there are: {', '.join(WHATS)}")
    if question.arguments and not WHATS[what].words:
        raise UsageError(
            f"`show {what}` takes one core, and nothing before it",
            f"`haproxy-forensics show {what} CORE`; files with symbols are given with --exe, --debug-dir or --symbols",
        )


def open_state(path: str, places: Places) -> State:
    """The HAProxy whose core lies at ``path``. InputError when it cannot be read, or is another program's."""
    process = Process(read_core(open_bytes(path)), places)
    if not is_haproxy(process):
        raise ForeignCore(
            f"`{path}` is a core of `{program_of(process)}`, not of HAProxy", "`coredumpctl list haproxy` finds one"
        )
    return State(process)


def answer_of(state: State, what: str, question: Question) -> Answer | Absence:
    """The answer to one of ``WHATS``."""
    module: Any = importlib.import_module(f"forensics.show.{what.replace('-', '_')}")
    command: Command = module
    return command.answer(state, question)
