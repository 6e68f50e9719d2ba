"""ABRT's `core_backtrace`: the stacks of a core in JSON, as satyr writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

#: Bytes of a file that are read; real ones have some ten kilobytes.
MAX_SIZE = 4 << 20
_MAX_THREADS, _MAX_FRAMES, _MAX_NAME = 1024, 1024, 512


def text_of(data: bytes) -> bytes:
    """The stacks as gdb would print them, the crashed thread first; ``data`` itself where it is no such JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict) or not isinstance(document.get("stacktrace"), list):
        return data
    return "".join(f"{line}\n" for line in _lines(document)).encode("utf-8", "replace")


def _lines(document: dict[str, Any]) -> Iterator[str]:
    signal = document.get("signal")
    if isinstance(signal, int) and 0 < signal < 65:
        yield f"Program terminated with signal {signal}, as core_backtrace says."
    threads = [one for one in document["stacktrace"][:_MAX_THREADS] if isinstance(one, dict)]
    threads.sort(key=lambda one: one.get("crash_thread") is not True)
    for number, thread in enumerate(threads, 1):
        frames = thread.get("frames")
        # satyr does not keep the ids of threads.
        yield f"Thread {number} (LWP {number}):"
        for index, frame in enumerate(frames[:_MAX_FRAMES] if isinstance(frames, list) else ()):
            if isinstance(frame, dict):
                yield _frame(index, frame)


def _frame(index: int, frame: dict[str, Any]) -> str:
    address = frame.get("address")
    where = f"0x{address:016x} in " if isinstance(address, int) and 0 <= address < 1 << 64 else ""
    file = _word(frame, "file_name")
    return f"#{index}  {where}{_word(frame, 'function_name') or '??'} ()" + (f" from {file}" if file else "")


def _word(frame: dict[str, Any], name: str) -> str:
    """A name without blanks, "" for anything else."""
    value = frame.get(name)
    return (
        value
        if isinstance(value, str) and len(value) <= _MAX_NAME and value and not set(value) & set(" \t\r\n()")
        else ""
    )
