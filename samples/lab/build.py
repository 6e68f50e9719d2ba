"""Builds of HAProxy with full debug information from Debian's source tarballs.

No suite carries a release with the stick-table requeue race, so some builds start from
3.0.11 and differ from it in the version they tell and, where asked, in the order of two
statements.  The clean builds of ``samples/lab/builds.py`` change nothing.  Paths of the build
machine stay out of the executables: the compiler is called through a small wrapper that
maps the build folder to ``/usr/src/haproxy``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samples.lab.packages import TRIXIE, Suite, source

SOURCE_PATH = "/usr/src/haproxy"

FIXED_ORDER = """\
\ttask_queue(t->exp_task);

\tHA_RWLOCK_WRUNLOCK(STK_TABLE_LOCK, &t->lock);
}
"""
DEFECTIVE_ORDER = """\
\tHA_RWLOCK_WRUNLOCK(STK_TABLE_LOCK, &t->lock);

\ttask_queue(t->exp_task);
}
"""


class BuildError(RuntimeError):
    """The source is not as expected, or the build failed."""


@dataclass(frozen=True)
class Built:
    """An executable of our own, and the source it was made from (for gdb)."""

    executable: Path
    source: Path


@dataclass(frozen=True)
class Variant:
    """One build: its name, what it says it is, and what is changed in the source.

    Without ``version`` it says what its source says.  ``options`` go to make as they are.
    """

    name: str
    version: str = ""
    date: str = ""
    subversion: str = ""
    edit: Callable[[Path], None] | None = None
    suite: Suite = TRIXIE
    compiler: str = "gcc"
    options: tuple[str, ...] = ()

    def identity(self) -> list[str]:
        """The make variables that say which version this is."""
        if not self.version:
            return []
        return [f"VERSION={self.version}", f"SUBVERS={self.subversion}", f"VERDATE={self.date}"]


def unlock_before_queueing(folder: Path) -> None:
    """Put ``stktable_requeue_exp()`` back to its defective order: unlock, then queue."""
    path = folder / "src/stick_table.c"
    text = path.read_text(encoding="utf-8")
    start = text.find("void stktable_requeue_exp(struct stktable *t")
    at = text.find(FIXED_ORDER, start)
    end = text.find("\n}\n", start)
    if start < 0 or at < 0 or text.count(FIXED_ORDER) != 1 or not start < at < end:
        raise BuildError("stktable_requeue_exp() does not end in the two lines expected")
    changed = text[:at] + DEFECTIVE_ORDER + text[at + len(FIXED_ORDER) :]
    path.write_text(changed, encoding="utf-8")


RACE_296 = Variant("requeue-race-2.9.6", "2.9.6", "2024/02/26", edit=unlock_before_queueing)
RACE_3011 = Variant("requeue-race-3.0.11", "3.0.11", "2025/06/02", edit=unlock_before_queueing)
SHARDING_296 = Variant("sharding-with-peers-2.9.6", "2.9.6", "2024/02/26")


def _unpack(tarball: Path, folder: Path) -> None:
    """Unpack a source tarball so that its only top folder becomes ``folder``."""
    work = folder.with_name(folder.name + ".unpacking")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(work, filter="data")
    (top,) = work.iterdir()
    shutil.rmtree(folder, ignore_errors=True)
    top.rename(folder)
    work.rmdir()


def _wrapper(folder: Path, source_folder: Path, name: str) -> Path:
    """A ``cc`` that keeps the build folder out of what it writes; returns its folder."""
    compiler = shutil.which(name)
    if compiler is None:
        raise BuildError(f"{name} is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / "cc"
    wrapper.write_text(
        f"#!/bin/sh\nexec {compiler} -ffile-prefix-map='{source_folder}'={SOURCE_PATH} \"$@\"\n",
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    return folder


def build(lab: Path, variant: Variant) -> Built:
    """Build ``variant`` in ``LAB/builds/NAME`` (once) and return the executable."""
    folder = (lab / "builds" / variant.name).resolve()
    built = Built(folder / "haproxy", folder / "src")
    if built.executable.exists():
        return built
    _unpack(source(lab, variant.suite), built.source)
    if variant.edit is not None:
        variant.edit(built.source)
    tools = _wrapper(folder / "bin", built.source, variant.compiler)
    command = [
        "make",
        "-j2",
        "TARGET=linux-glibc",
        *variant.identity(),
        "IGNOREGIT=1",
        "DEBUG_CFLAGS=-g",
        *variant.options,
        "haproxy",
    ]
    done = subprocess.run(
        command,
        cwd=built.source,
        env={"PATH": f"{tools}:{os.defpath}:/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"make failed: {done.stderr[-3000:]}")
    shutil.copy2(built.source / "haproxy", built.executable)
    return built
