"""The symbol packs of the samples: what the tool extracts from builds that cannot be kept here.

``python -m samples.packs [--lab DIR]`` writes ``samples/symbols`` again from the raw cores,
builds and sysroots that ``python -m samples.lab all`` left in the lab (default ``.lab``):
one pack for each module that a core's stacks need. Packs of builds that no core uses are removed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from forensics.absence import Absence
from forensics.api import Options, open_core
from forensics.elf.module import VDSO
from forensics.symbols.pack_writer import pack_entry, write_pack
from forensics.symbols.places import Places, pack_name
from samples.golden import SAMPLES, SYMBOLS

#: Samples whose core is of no HAProxy.
FOREIGN = ("foreign",)


def places(name: str, lab: Path) -> Places:
    """Where the executable of a sample is: its own build, the sysroot of its suite, or this host."""
    build = lab / "builds" / name / "haproxy"
    if build.is_file():
        return Places(executable=str(build))
    for version, suite in (("3.0.", "trixie"), ("3.4.", "experimental")):
        if f"-{version}" in name:
            return Places(sysroot=str(lab / "roots" / suite))
    return Places()


def write(name: str, lab: Path, written: set[Path]) -> set[Path]:
    """Write the packs of one sample that are not in ``written``; the paths of all that its core needs."""
    core = lab / "cores" / name / "core"
    process, _stacks = open_core(str(core), Options(places(name, lab)))
    needed = set()
    for files in process.files:
        if files.module.path == VDSO:
            continue
        path = SYMBOLS / pack_name(str(files.module.build_id))
        if path not in written:
            entry = pack_entry(process.symbols(files.module), slim=True)
            if isinstance(entry, Absence):
                raise SystemExit(f"{name}: {files.module.path}: {entry.reason}")
            write_pack(str(path), [entry])
        needed.add(path)
    return needed


def main() -> None:
    """Write all packs and remove the others."""
    parser = argparse.ArgumentParser(prog="python -m samples.packs", description=__doc__)
    parser.add_argument("--lab", type=Path, default=SAMPLES.parent / ".lab")
    lab = parser.parse_args().lab
    SYMBOLS.mkdir(exist_ok=True)
    kept: set[Path] = set()
    for core in sorted(SAMPLES.glob("*/core.zst")):
        if core.parent.name not in FOREIGN:
            kept |= write(core.parent.name, lab, kept)
    for path in SYMBOLS.glob("*.symbols"):
        if path not in kept:
            path.unlink()
    for path in sorted(kept):
        print(f"{path.relative_to(SAMPLES.parent)}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
