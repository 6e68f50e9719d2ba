"""One worker process as its parent sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

from forensics.batch.result import Input, ScanResult, Status, Work

#: Run by a fresh interpreter, which finds the modules that we find.
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from forensics.batch.worker import main; main()"

#: A worker has so many seconds to start, however short the limit for an input is.
_START = 60.0

#: Bytes of one answer, and of last words; seconds that a dying process may take.
_LONGEST, _LAST_WORDS, _DYING = 64 << 20, 1 << 13, 2.0

_REPORT_IT = "please report this together with the input, or what of it can be shared"


class WorkerProcess:
    """A worker process: it starts, is given one input after another, answers or dies.

    ``ready`` tells whether it has started, ``path`` what it works on ("" for nothing; the youngest of ``files`` where
    these are one log).
    Reading never blocks. Whoever makes one calls ``end``.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._answer = bytearray()
        self._said = b""
        self._since = time.monotonic()
        self.ready = False
        self.path = ""
        self.files: tuple[str, ...] = ()
        search = [os.path.abspath(each) for each in sys.path]
        lifeline, held = os.pipe()
        self._lifeline = os.fdopen(held, "wb", buffering=0)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-c", _PROGRAM, *search],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                pass_fds=(lifeline,),  # it ends when we do, and the worker with it
                process_group=0,  # Ctrl-C is for the parent, which ends its workers
            )  # fmt: skip
        finally:
            os.close(lifeline)
        for pipe in self.pipes:
            os.set_blocking(pipe.fileno(), False)
        self._tell(json.dumps({**asdict(work), "lifeline": lifeline}))

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """What to wait for: answers, and what else it says."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return self._process.stdout, self._process.stderr

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def idle(self) -> bool:
        """Whether it waits for a path."""
        return self.ready and not self.path

    @property
    def seconds(self) -> float:
        """How long it has been at what it does."""
        return time.monotonic() - self._since

    @property
    def left(self) -> float:
        """Seconds until it is late; infinite while it is idle."""
        if self.idle:
            return float("inf")
        return (self._allowed if self.ready else _START) - self.seconds

    @property
    def _allowed(self) -> float:
        """Seconds for what it works on: every file of a log has its own."""
        return self._work.timeout * max(1, len(self.files))

    def give(self, one: Input) -> bool:
        """Let it work on an input; False when it has died meanwhile."""
        self.files = () if isinstance(one, str) else one
        self.path, self._since = one if isinstance(one, str) else one[-1], time.monotonic()
        return self._tell(json.dumps(one))

    def receive(self) -> dict[str, Any] | None:
        """The answer when it is complete, else None. Raises EOFError when no more will come."""
        self._listen()
        more = _read(self.pipes[0], 1 << 20)
        if more == b"" or len(self._answer) > _LONGEST:
            raise EOFError
        self._answer += more or b""
        if not self._answer.endswith(b"\n"):
            return None
        answer: dict[str, Any] = json.loads(self._answer)
        self._answer.clear()
        self.ready = True
        return answer

    def finished(self, answer: dict[str, Any]) -> list[ScanResult]:
        """The results of the path it was given, one an incident; it is idle then."""
        path, self.path = self.path, ""
        reports = answer.get("reports")
        if reports is None:
            return [self._failed(path, "failed", answer["error"], answer["hint"])]
        return [
            ScanResult(
                path, "analysed", report, seconds=self.seconds, incident=number, first=not place,
                files=self.files, file=file if self.files else "",
            )
            for place, (number, file, report) in enumerate(reports)
        ]  # fmt: skip

    def _failed(self, path: str, status: Status, error: str, hint: str) -> ScanResult:
        return ScanResult(path, status, None, error, hint, self.seconds, files=self.files)

    def overdue(self) -> ScanResult:
        """End it; the result of a path that took too long."""
        error = f"not done after {self._allowed:g} seconds"
        result = self._failed(self.path, "timeout", error, "give it more time with `--timeout`")
        self.end()
        return result

    def dead(self) -> ScanResult:
        """The result of a path that the worker did not survive."""
        seconds = self.seconds
        error, hint = self.last_words()
        return ScanResult(self.path, "died", None, error, hint, seconds, files=self.files)

    def last_words(self) -> tuple[str, str]:
        """Why it died, and what to do about it."""
        try:
            status = self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            self.end()
            long = len(self._answer) > _LONGEST
            return (f"its report is longer than {_LONGEST >> 20} MiB" if long else "its worker broke off"), _REPORT_IT
        self._listen()
        self.end()
        lines = self._said.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if last.startswith("MemoryError"):
            return f"it takes more than {self._work.memory} MiB of memory", "allow it more with `--memory`"
        if status < 0:
            return f"the worker was killed by {_signal_name(-status)}", _killed_hint(-status)
        return f"the worker failed: {last or f'exit status {status}'}", _REPORT_IT

    def end(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()
        for pipe in (*self.pipes, self._process.stdin, self._lifeline):
            if pipe is not None:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):  # the kernel ends it as soon as a disk lets go of it
            self._process.wait(_DYING)

    def _tell(self, line: str) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            return False
        return True

    def _listen(self) -> None:
        while more := _read(self.pipes[1], 1 << 16):
            self._said = (self._said + more)[-_LAST_WORDS:]


def _read(pipe: IO[bytes], size: int) -> bytes | None:
    """What is there: None for nothing yet, b"" for the end."""
    return None if pipe.closed else pipe.read(size)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _killed_hint(number: int) -> str:
    if number == signal.SIGKILL:
        return "usually the kernel, because memory ran out (see `dmesg`): try fewer `--jobs`"
    return _REPORT_IT
