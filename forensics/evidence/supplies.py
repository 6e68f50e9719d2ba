"""What supplies facts, in words: who lacks a fact is told to get this."""

from __future__ import annotations

CORE = "the core file"
SYMBOLS = "the core with debug symbols of its build-id"
THE_LOG = "the log of the worker (stderr, or the journal of the service)"
EITHER = f"{CORE}, or {THE_LOG}"
CONFIG = "haproxy.cfg"
EXECUTABLE = "the executable, beside the log"
