"""Signals as numbers in exit codes, and as the names under which they are known."""

from __future__ import annotations

#: Linux, all supported machines; not the `signal` module, which knows the machine of the analysis.
_NAMES = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip
_NUMBERS = {name: number for number, name in _NAMES.items()}

#: Signals that end a process without any fault of its own.
HARMLESS = frozenset({"SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGPIPE"})


def signal_name(number: int) -> str | None:
    """The name of a signal, None when there is no such signal."""
    return _NAMES.get(number)


def signal_of_status(code: int) -> str | None:
    """The signal in an exit code of 128 plus its number, None for an ordinary exit."""
    return signal_name(code - 128) if code > 128 else None


def known_signal(text: str) -> str | None:
    """The name of a signal written as ``SIGABRT``, ``ABRT`` or ``6``."""
    text = text.strip().upper()
    if text.isascii() and text.isdigit():
        return signal_name(int(text)) if len(text) < 4 else None
    name = text if text.startswith("SIG") else f"SIG{text}"
    return name if name in _NUMBERS else None
