"""``python -m samples.lab NAME --lab DIR [--output DIR]``: make samples again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from subprocess import SubprocessError

from samples.lab.build import BuildError
from samples.lab.haproxy import LabError
from samples.lab.packages import PackageError
from samples.lab.recipes import RECIPES, Lab, make

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every sample asked for was made."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab", description=__doc__)
    parser.add_argument("name", choices=[*RECIPES, "all"], help="sample to make, or all")
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="downloads, builds, raw cores")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "samples", help="where samples go")
    options = parser.parse_args(arguments)
    lab = Lab(options.lab.resolve(), options.output.resolve())
    failed = 0
    for name in RECIPES if options.name == "all" else [options.name]:
        try:
            make(name, lab)
        except (LabError, BuildError, PackageError, OSError, SubprocessError) as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
