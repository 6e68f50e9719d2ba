"""What a sample must not tell about the machine it was made on."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path

from samples.lab.haproxy import LabError


def private(*places: Path) -> list[bytes]:
    """Byte strings no sample may contain: places of the lab, name servers."""
    found = [str(place.resolve()).encode() for place in (*places, Path.cwd(), Path.home())]
    resolv = Path("/etc/resolv.conf")
    for line in resolv.read_text(encoding="utf-8").splitlines() if resolv.exists() else []:
        words = line.split()
        if len(words) == 2 and words[0] == "nameserver" and not words[1].startswith("127."):
            found.append(words[1].encode())
    return [text for text in found if text != b"/"]


def check(path: Path, forbidden: list[bytes]) -> None:
    """Refuse a file that contains one of ``forbidden``."""
    content = path.read_bytes()
    for text in forbidden:
        if text in content:
            raise LabError(f"{path} contains {text.decode()}")


def neutral_release(release: str) -> str:
    """The kernel release without its local part, in the same number of characters."""
    number, dash, local = release.partition("-")
    return number + dash + "x" * len(local)


def redact(evidence: Path) -> int:
    """Overwrite the kernel's local name and the place it was built at; how often.

    The kernel's own page in every process (the vDSO) names them, and so do HAProxy's
    memory and newer panic messages.  Lengths stay, nothing else is touched.
    """
    release = os.uname().release
    if "-" not in release or evidence.stat().st_size == 0:
        return 0
    name = re.escape(release.encode())
    path = re.compile(rb"/[\x21-\x7e]{0,200}" + name + rb"[\x21-\x7e]{0,200}")
    count = 0
    with evidence.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for found in list(path.finditer(content)):
            content[found.start() : found.end()] = b"/" + b"x" * (len(found.group()) - 1)
            count += 1
        for found in list(re.finditer(name, content)):
            content[found.start() : found.end()] = neutral_release(release).encode()
            count += 1
    return count
