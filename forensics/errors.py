"""The error tree. Every error says what was tried and what to type next.

ForensicsError            anything this program raises on purpose
├── InputError            an input cannot be analysed (exit status 1)
│   ├── UnreadableInput   it cannot be opened or read
│   ├── EmptyInput        it has no bytes
│   ├── UnknownInput      no known kind of evidence
│   ├── ForeignCore       a core, but not one of HAProxy
│   ├── UnsupportedInput  a core of a machine that is not supported
│   ├── NotInCore         a core of HAProxy that does not hold what was asked for
│   ├── MalformedInput    the structure contradicts itself
│   └── LimitExceeded     reading on would break a bound of size or time
├── SignatureError        a signature file breaks the rules
└── UsageError            the call contradicts itself (exit status 2)
"""

from __future__ import annotations


class ForensicsError(Exception):
    """Base of all errors raised on purpose.

    ``message`` has no full stop; ``hint`` is what the user can type or supply
    next, "" when nothing is known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(ForensicsError):
    """One input cannot be analysed."""


class UnreadableInput(InputError):
    """The input cannot be opened or read."""


class EmptyInput(InputError):
    """The input has no bytes."""


class UnknownInput(InputError):
    """The input is no kind of evidence that is known."""


class ForeignCore(InputError):
    """The input is a core of another program than HAProxy."""


class UnsupportedInput(InputError):
    """The input is genuine, but of a machine or format not supported."""


class NotInCore(InputError):
    """The core does not hold what was asked for, or no file says where it lies."""


class MalformedInput(InputError):
    """The input contradicts itself."""


class LimitExceeded(InputError):
    """Reading on would exceed a bound of size or time."""


class SignatureError(ForensicsError):
    """A signature file breaks the rules of its format."""


class UsageError(ForensicsError):
    """The options or arguments contradict each other."""
