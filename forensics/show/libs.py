"""`show libs`: what was mapped, one module a line with its start and end (`-dL`, `show libs` since 2.6)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.state import State
from forensics.show.answer import Answer, Question


def answer(state: State, _question: Question) -> Answer | Absence:
    """The modules of the process, in the order of their addresses."""
    modules = state.process.core.modules
    if not modules:
        return Absence("modules", "the core lists none (no NT_FILE)", "a core written by the kernel")
    return Answer(lambda: _lines(modules), lambda: [_plain(module) for module in modules])


def _lines(modules: tuple[Module, ...]) -> Iterator[str]:
    for module in modules:
        yield f"{module.start:#018x}-{module.end - 1:#018x} {module.path}"


def _plain(module: Module) -> dict[str, object]:
    build_id = module.build_id if isinstance(module.build_id, str) else ""
    return {"address": module.start, "end": f"{module.end:#x}", "path": module.path, "build_id": build_id}
