"""The inside of a worker process: one path a line comes in, one answer a line goes out.

The process analyses one input after the other, so that what it has loaded serves them
all. It asks nothing of its parent but the pipes: when they close, it ends; in the midst
of an input the kernel ends it, however busy it is.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from forensics.api import answers
from forensics.batch.result import options_from_json
from forensics.errors import ForensicsError, InputError
from forensics.report.render_json import to_json_dict

#: The parent ends a worker that is late; this much later the kernel does, should the parent be stopped.
_GRACE = 30.0

_Function = Callable[[Any, Mapping[str, Any]], Mapping[str, Any] | Sequence[tuple[int, str, Mapping[str, Any]]]]


def analyse(given: str | Sequence[str], options: Mapping[str, Any]) -> Sequence[tuple[int, str, Mapping[str, Any]]]:
    """The report documents of one input: one an incident, with its number and the file in which it begins."""
    return [(one.number, one.file, to_json_dict(one.report)) for one in answers(given, options_from_json(options))]


def main() -> None:
    """Serve until standard input ends. The first line is the work, every other one a path, or those of one log."""
    requests, answers = sys.stdin.buffer, _own_stdout()
    work = json.loads(requests.readline())
    _end_with_parent(work["lifeline"])
    function = _function(work["function"])
    _limit(work["memory"])
    _say(answers, {"ready": True})
    for line in requests:
        given = json.loads(line)
        with _alarm(work["timeout"] * (1 if isinstance(given, str) else len(given)) + _GRACE):
            answer = _answer(function, given, work["options"])
        _say(answers, answer)


def _answer(function: _Function, given: str | Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """What errors of the input become; all that is not expected ends this process, and the parent reports it."""
    try:
        found = function(given, options)
        return {"reports": [(0, "", found)] if isinstance(found, Mapping) else found}
    except InputError as error:
        return {"error": error.message, "hint": error.hint}
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from error
        return {"error": f"it cannot be read: {error.strerror or error}", "hint": "check the disk and the permissions"}
    except ForensicsError as error:
        return {"stop": error.message, "hint": error.hint}


def _own_stdout() -> IO[bytes]:
    """Standard output for answers only: whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _say(answers: IO[bytes], answer: Mapping[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _function(name: str) -> _Function:
    module, _, function = name.partition(":")
    found: _Function = getattr(importlib.import_module(module), function)
    return found


def _limit(memory: int) -> None:
    """Bound the address space (MiB), and leave no core of our own among those that are scanned."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = memory << 20
    bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent(lifeline: int) -> None:
    """Let the kernel end this process with SIGIO as soon as the parent is gone.

    The parent never writes to this pipe: all that can happen to it is its end. Standard
    input would not do, since a signal for a line may come after the line was read.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:
        sys.exit(0)  # it was gone before


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Let the kernel end this process when it takes longer."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
