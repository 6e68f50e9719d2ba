"""How far long logs are read: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

#: Shorter files (bytes) are read before anybody sees a bar.
LONG = 64 << 20


@contextmanager
def watching(stream: TextIO) -> Iterator[Callable[[str, int], None] | None]:
    """What to tell of a path and the bytes of it that were read; None where nobody looks.

    Of a compressed file these are compressed bytes, since nobody knows the others. rich is imported for the first
    long file.
    """
    if not stream.isatty():
        yield None
        return
    bars = _Bars(stream)
    try:
        yield bars.show
    finally:
        bars.close()


class _Bars:
    """One bar for each long file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._sizes: dict[str, int] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None

    def show(self, path: str, done: int) -> None:
        size = self._sizes.get(path)
        if size is None:
            size = self._sizes[path] = _size_of(path)
        if size <= LONG:
            return
        progress = self._started()
        if path not in self._tasks:
            from forensics.report.safe_text import one_line

            self._tasks[path] = progress.add_task(one_line(os.path.basename(path), 40), total=size)
        progress.update(self._tasks[path], completed=min(done, size))

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _started(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(binary_units=True),
                TimeRemainingColumn(), console=Console(file=self._stream, highlight=False), transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._progress.start()
        return self._progress


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
