"""HAProxy packages of other Debian suites, unpacked in private folders.

The machine's own apt configuration gives mirror and keys; only the suite is changed.
The machine's package database is neither read nor written.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path("/etc/apt")
MERGED = ("bin", "sbin", "lib", "lib64")


class PackageError(RuntimeError):
    """A package could not be found, downloaded or unpacked."""


@dataclass(frozen=True)
class Mirror:
    """One Debian archive of the machine's apt configuration."""

    uris: str
    signed_by: str


@dataclass(frozen=True)
class Suite:
    """What to install from where: ``target`` is handed to ``apt-get -t``."""

    name: str
    suites: tuple[str, ...]
    target: str | None = None
    architecture: str = "amd64"


BULLSEYE = Suite("bullseye", ("bullseye",))
BOOKWORM = Suite("bookworm", ("bookworm",))  # without security updates: the mirror has no sources of those
TRIXIE = Suite("trixie", ("trixie",))
SID = Suite("sid", ("sid",))
EXPERIMENTAL = Suite("experimental", ("sid", "experimental"), "experimental")
BOOKWORM_ARM64 = Suite("bookworm-arm64", ("bookworm",), architecture="arm64")
SUITES = {suite.name: suite for suite in (BULLSEYE, BOOKWORM, TRIXIE, SID, EXPERIMENTAL, BOOKWORM_ARM64)}


def codename(os_release: Path = Path("/etc/os-release")) -> str:
    """The machine's own Debian suite, as in ``bookworm``."""
    for line in os_release.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise PackageError("the machine's Debian suite is not known")


def _stanzas(text: str) -> list[dict[str, str]]:
    """The stanzas of a deb822 sources file (multi-line keys are not needed here)."""
    found: list[dict[str, str]] = []
    for block in text.split("\n\n"):
        fields = {}
        for line in block.splitlines():
            if line.startswith(("#", " ")) or ":" not in line:
                continue
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        if fields:
            found.append(fields)
    return found


def _one_line(text: str, suite: str) -> Mirror | None:
    """The archive of ``suite`` in an old one-line ``sources.list``."""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] != "deb":
            continue
        options = ""
        if words[1].startswith("["):
            end = next(i for i, word in enumerate(words) if word.endswith("]"))
            options = " ".join(words[1 : end + 1]).strip("[]")
            words = [words[0], *words[end + 1 :]]
        if len(words) > 3 and words[2] == suite:
            signed = [o.partition("=")[2] for o in options.split() if o.startswith("signed-by=")]
            return Mirror(words[1], signed[0] if signed else "")
    return None


def machine_mirror(etc: Path = SOURCES) -> Mirror:
    """The archive from which the machine takes its own suite."""
    suite = codename()
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for fields in _stanzas(path.read_text(encoding="utf-8")):
            if suite in fields.get("suites", "").split() and "uris" in fields:
                return Mirror(fields["uris"], fields.get("signed-by", ""))
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]:
        if path.is_file():
            mirror = _one_line(path.read_text(encoding="utf-8"), suite)
            if mirror:
                return mirror
    raise PackageError(f"no archive with suite {suite} in {etc}")


def _run(command: list[str], config: Path, cwd: Path) -> str:
    """Run an apt command with our configuration; its standard output."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise PackageError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _configuration(area: Path, suite: Suite) -> Path:
    """Write sources and apt.conf of a private apt area."""
    mirror = machine_mirror()
    for sub in ("lists/partial", "cache/archives/partial", "empty"):
        (area / sub).mkdir(parents=True, exist_ok=True)
    (area / "status").touch()
    signed = f"Signed-By: {mirror.signed_by}\n" if mirror.signed_by else ""
    (area / "debian.sources").write_text(
        f"Types: deb deb-src\nURIs: {mirror.uris}\nSuites: {' '.join(suite.suites)}\n"
        f"Components: main\nArchitectures: {suite.architecture}\n{signed}",
        encoding="utf-8",
    )
    options = {
        "Dir::Etc::sourcelist": area / "debian.sources",
        "Dir::Etc::sourceparts": area / "empty",
        "Dir::Etc::preferencesparts": area / "empty",
        "Dir::State::lists": area / "lists",
        "Dir::State::status": area / "status",
        "Dir::Cache": area / "cache",
        "APT::Architecture": suite.architecture,
        "APT::Architectures": suite.architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    config = area / "apt.conf"
    config.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()), encoding="utf-8")
    return config


def area(lab: Path, suite: Suite) -> Path:
    """A private apt area for ``suite`` with up-to-date lists; returns its apt.conf."""
    folder = (lab / "apt" / suite.name).resolve()
    config = folder / "apt.conf"
    if not (folder / "updated").exists():
        config = _configuration(folder, suite)
        _run(["apt-get", "update"], config, folder)
        (folder / "updated").touch()
    return config


def _links(root: Path) -> None:
    """The merged-usr links and device of a sysroot (base-files is not in the closure)."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for name in ("dev", "tmp", "proc", "run"):
        (root / name).mkdir(exist_ok=True)
    if os.geteuid() == 0 and not (root / "dev/null").exists():
        os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))


def sysroot(lab: Path, suite: Suite) -> Path:
    """HAProxy of ``suite`` with all its libraries, unpacked in ``LAB/roots/SUITE``."""
    root = lab / "roots" / suite.name
    if (root / "complete").exists():
        return root
    config = area(lab, suite)
    target = ["-t", suite.target] if suite.target else []
    _run(["apt-get", "-y", "--download-only", *target, "install", "haproxy"], config, config.parent)
    root.mkdir(parents=True, exist_ok=True)
    for deb in sorted((config.parent / "cache/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True, timeout=120)
    _links(root)
    (root / "complete").touch()
    return root


def download(lab: Path, suite: Suite, packages: tuple[str, ...], folder: Path) -> Path:
    """Some packages of ``suite`` unpacked in ``folder`` (once), without what they depend on."""
    if folder.exists():
        return folder
    config = area(lab, suite)
    debs = config.parent / "debs"
    debs.mkdir(exist_ok=True)
    _run(["apt-get", "download", *packages], config, debs)
    folder.mkdir(parents=True)
    for name in packages:
        for deb in debs.glob(f"{name}_*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True, timeout=120)
    return folder


def source(lab: Path, suite: Suite, package: str = "haproxy") -> Path:
    """The upstream tarball of the source package of ``suite``, downloaded.

    Only the tarball is asked for: the Debian part of a version that was just replaced
    may be gone already, and nothing here needs it.
    """
    config = area(lab, suite)
    folder = (lab / "sources" / suite.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{package}_*.orig.tar.*")):
        target = ["-t", suite.target] if suite.target else []
        _run(["apt-get", *target, "source", "--download-only", "--tar-only", package], config, folder)
    found = sorted(folder.glob(f"{package}_*.orig.tar.*"))
    if not found:
        raise PackageError(f"apt gave no tarball of {package} in {suite.name}")
    return found[-1]
