"""Asking debuginfod servers for the files of many builds at once, within one deadline for the whole run."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from functools import cache

from forensics.absence import Absence
from forensics.elf.constants import SHT_NOBITS
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.errors import ForensicsError
from forensics.memory.random_access import LocalFile
from forensics.symbols.debuginfod.cache import (
    artifact_path,
    cache_folder,
    cached_path,
    forget_miss,
    is_known_miss,
    mark_miss,
)
from forensics.symbols.debuginfod.download import Artifact, Download, Outcome, remove
from forensics.symbols.debuginfod.settings import Settings, settings_of
from forensics.symbols.files import ModuleFiles
from forensics.symbols.find import find_files
from forensics.symbols.places import Places

#: Downloads at a time.
_MOST_THREADS = 16


class Client:
    """The requests of one run, and what the servers said. A build is asked for once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._left = settings.deadline
        self.said: dict[Artifact, list[str]] = {}

    def fetch(self, wanted: Iterable[Artifact]) -> list[Artifact]:
        """Put ``wanted`` into the cache, as far as servers have them; those that arrived.

        Interrupted (KeyboardInterrupt) it leaves neither half a file nor a thread that is waited for.
        """
        asking = [one for one in dict.fromkeys(wanted) if one not in self.said and self._is_open(one)]
        if not asking:
            return []
        begin = time.monotonic()
        round_ = _Round(self._settings, asking, begin + self._left)
        try:
            arrived = round_.run()
        finally:
            round_.stop()
            self._left -= time.monotonic() - begin
            self.said.update(round_.said)
        return arrived

    def _is_open(self, artifact: Artifact) -> bool:
        """Whether it is still to be asked for."""
        if cached_path(artifact.build_id, artifact.kind):
            return False
        if is_known_miss(artifact.build_id, artifact.kind):
            self.said[artifact] = [f"{artifact.kind} (debuginfod): no server had it lately"]
        elif self._left <= 0:
            self.said[artifact] = [
                f"{artifact.kind} (debuginfod): not asked, {self._settings.deadline:g} s for all requests are over"
            ]
        else:
            return True
        return False


class _Round:
    """Some files, each asked for at every server at once; the first that proves to be right is kept."""

    def __init__(self, settings: Settings, wanted: Sequence[Artifact], end: float) -> None:
        self.said: dict[Artifact, list[str]] = {one: [] for one in wanted}
        self._end = end
        self._arrived: list[Artifact] = []
        self._answers: queue.SimpleQueue[tuple[Download, Outcome]] = queue.SimpleQueue()
        self._pending = {one: len(settings.urls) for one in wanted}
        self._missing = dict.fromkeys(wanted, 0)
        self._servers = len(settings.urls)
        self._downloads = [
            Download(one, url, os.path.dirname(artifact_path(one.build_id, one.kind)), settings.max_size, end)
            for one in wanted
            for url in settings.urls
        ]
        self._waiting: queue.SimpleQueue[Download] = queue.SimpleQueue()
        for download in self._downloads:
            self._waiting.put(download)

    def run(self) -> list[Artifact]:
        """Ask, and wait until all is decided or the time is over."""
        for _count in range(min(_MOST_THREADS, len(self._downloads))):
            # Not of a pool: the interpreter would wait for its threads when it ends.
            threading.Thread(target=self._work, daemon=True, name="debuginfod").start()
        while self._pending:
            left = self._end - time.monotonic()
            try:
                self._decide(*self._answers.get(timeout=max(left, 0.001)))
            except queue.Empty:
                break
        for one in self._pending:
            self._say(one, "no answer within the time for all requests")
        return self._arrived

    def stop(self) -> None:
        """Give up what is still under way."""
        for download in self._downloads:
            download.cancel()

    def _work(self) -> None:
        while True:
            try:
                download = self._waiting.get_nowait()
            except queue.Empty:
                return
            outcome = Outcome(said="it failed")
            try:
                if download.artifact in self._pending:
                    outcome = download.run()
            finally:
                self._answers.put((download, outcome))

    def _decide(self, download: Download, outcome: Outcome) -> None:
        artifact = download.artifact
        if artifact not in self._pending:
            download.cancel()
            return
        said = outcome.said or self._accept(download)
        if not said:
            self._arrived.append(artifact)
            self._say(artifact, f"{download.server}: fetched, build-id matches")
            del self._pending[artifact]
            for other in self._downloads:
                if other.artifact == artifact:
                    other.cancel()  # a slow server must not keep a thread from the next file
            return
        download.cancel()
        self._say(artifact, f"{download.server}: {said}")
        self._pending[artifact] -= 1
        self._missing[artifact] += outcome.missing
        if not self._pending[artifact]:
            del self._pending[artifact]
            if self._missing[artifact] == self._servers:
                mark_miss(artifact.build_id, artifact.kind)

    def _accept(self, download: Download) -> str:
        """Give a file that proves to be right its name; else what is wrong with it."""
        artifact, partial = download.artifact, download.keep()
        wrong = _what_is_wrong(partial, artifact.build_id)
        if wrong:
            remove(partial)
            return f"refused: {wrong}"
        try:
            os.chmod(partial, 0o400)
            forget_miss(artifact.build_id, artifact.kind)
            os.replace(partial, artifact_path(artifact.build_id, artifact.kind))
        except OSError as error:
            remove(partial)
            return f"it cannot be kept: {error.strerror}"
        return ""

    def _say(self, artifact: Artifact, sentence: str) -> None:
        self.said[artifact].append(f"{artifact.kind} (debuginfod) {sentence}")


def _what_is_wrong(path: str, build_id: str) -> str:
    """Why the file is not the one that was asked for; "" when it is, from its first to its last byte."""
    try:
        image = ElfImage(LocalFile(path))
        found = image.build_id
    except ForensicsError as error:
        return "it is no ELF file" if "no ELF" in error.message else "its ELF header is damaged"
    if found != build_id:
        return f"another build: its build-id is {found or 'none'}"
    size = image.source.size
    ends = [one.offset + one.size for one in image.sections.values() if one.type != SHT_NOBITS]
    if not ends or max(ends) > size or image.header.sections_offset + 64 * image.header.sections > size:
        return "the file is cut"
    return ""


@cache
def _client(settings: Settings, _folder: str) -> Client:
    """One client for the whole run and one cache: its deadline counts all requests."""
    return Client(settings)


def client_of(places: Places) -> Client:
    """The client that the user's choice gives. UsageError as ``settings_of``."""
    return _client(settings_of(places), cache_folder())


def answers(build_ids: Sequence[str], places: Places) -> list[str]:
    """What the servers said of builds so far."""
    said = client_of(places).said
    return [line for artifact, lines in said.items() if artifact.build_id in build_ids for line in lines]


def find_or_fetch(module: Module, places: Places) -> ModuleFiles:
    """The files of a module that is no part of a core, from servers too if they may be asked."""
    files = find_files(module, places)
    while places.may_fetch and fetch_missing([files], places):
        files = find_files(module, places)
    return files


def fetch_missing(found: Iterable[ModuleFiles], places: Places) -> set[str]:
    """Ask for what the modules lack; the build-ids of which something arrived."""
    wanted = [artifact for files in found for artifact in missing_of(files)]
    return {one.build_id for one in client_of(places).fetch(wanted)}


def missing_of(files: ModuleFiles) -> list[Artifact]:
    """What a server could add to the files of a module."""
    build_id = files.build_id
    if isinstance(build_id, Absence) or (files.pack is not None and files.pack.has_dwarf):
        return []
    wanted = [Artifact(build_id, "executable")] if files.image is None or files.in_memory else []
    if files.dwarf_holder is None:
        wanted.append(Artifact(build_id, "debuginfo"))
    elif files.supplement is None and files.shared_id:
        wanted.append(Artifact(files.shared_id, "debuginfo"))
    return wanted
