"""``python -m samples.lab.builds NAME|all``: HAProxys whose backtraces are compared with gdb's.

Clean builds of Debian's source tarballs, with full debug information: nothing is changed, and each
says its true version.  An executable lies in ``LAB/builds/NAME/haproxy`` and is built once.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from samples.lab.build import BuildError, Variant, build
from samples.lab.packages import BOOKWORM, BULLSEYE, EXPERIMENTAL, SID, TRIXIE, PackageError

CHECKOUT = Path(__file__).resolve().parents[2]

#: Debian's cross compiler, which brings no libcrypt.
CROSS = "aarch64-linux-gnu-gcc"
NO_CRYPT = "USE_LIBCRYPT="

BUILDS = {
    variant.name: variant
    for variant in (
        Variant("haproxy-2.2", suite=BULLSEYE),
        Variant("haproxy-2.6", suite=BOOKWORM),
        Variant("haproxy-3.0", suite=TRIXIE),
        Variant("haproxy-3.2", suite=SID),
        Variant("haproxy-3.4", suite=EXPERIMENTAL),
        Variant("haproxy-3.0-lto", suite=TRIXIE, options=("ARCH_FLAGS=-flto=auto",)),
        Variant("haproxy-2.6-arm64", suite=BOOKWORM, compiler=CROSS, options=(NO_CRYPT,)),
        Variant("haproxy-3.0-arm64", suite=TRIXIE, compiler=CROSS, options=(NO_CRYPT,)),
        Variant("haproxy-3.0-arm64-static", suite=TRIXIE, compiler=CROSS, options=(NO_CRYPT, "LDFLAGS=-static")),
        Variant("haproxy-3.4-arm64", suite=EXPERIMENTAL, compiler=CROSS, options=(NO_CRYPT,)),
    )
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every build asked for is there."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.builds", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*BUILDS, "all"], help="builds to make", metavar="NAME")
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="downloads and builds")
    options = parser.parse_args(arguments)
    failed = 0
    for name in BUILDS if "all" in options.names else options.names:
        started = time.monotonic()
        try:
            executable = build(options.lab.resolve(), BUILDS[name]).executable
        except (BuildError, PackageError, OSError) as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(f"{executable}: {time.monotonic() - started:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
