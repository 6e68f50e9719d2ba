"""Where files of modules are looked for, and in which order."""

from __future__ import annotations

import os

from forensics.record import record

#: Where distributions install separate debug files (gdb's own default).
SYSTEM_DEBUG_DIRECTORY = "/usr/lib/debug"

#: Seconds that all requests to debuginfod servers may take together.
DEFAULT_DEADLINE = 60.0


def store_directory() -> str:
    """Where the symbol store lies; ``HAPROXY_FORENSICS_SYMBOLS`` names another place, and "" means none at all."""
    chosen = os.environ.get("HAPROXY_FORENSICS_SYMBOLS")
    if chosen is not None:
        return chosen
    root = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(root, "haproxy-forensics", "symbols")


def pack_name(build_id: str) -> str:
    """The file name of a build's pack."""
    return f"{build_id}.symbols"


#: The places in the order in which they are looked through, for executables, libraries and debug files alike.
#: ``find.py`` follows it, and docs/symbols.md prints it.
ORDER = (
    ("the core itself", "the archive that `set-dumpable libs` keeps in memory (HAProxy 3.4)"),
    ("`--exe`", "the executable; it may also be its separate debug file"),
    (
        "`--debug-dir`",
        "`.build-id/xx/yyyy.debug` and `.build-id/xx/yyyy`, the module's own path below it, or the bare file name",
    ),
    ("`--sysroot`, else the path in the core", "a file that was deleted since is said to be so, and compared as any"),
    ("`/usr/lib/debug`", "`.build-id/xx/yyyy.debug`, below `--sysroot` where that was given"),
    (
        "`.gnu_debuglink`",
        "the debug file that the image names: beside it, in `.debug/`, in debug directories; by CRC if need be",
    ),
    (
        "`.gnu_debugaltlink`",
        "what dwz moved to a file of its own: by its path, then by its build-id in the debug directories",
    ),
    ("`.gnu_debugdata`", "the symbol table that the image carries in xz (mini debug info)"),
    ("`--symbols`", "symbol packs, by build-id"),
    ("the symbol store", "what `symbols add` kept, by build-id"),
    ("debuginfod's cache", "what `debuginfod-find`, gdb or this program fetched before; no network"),
    ("debuginfod servers", "only if asked: `--debuginfod`, or `DEBUGINFOD_URLS` with consent in the configuration"),
)


@record
class Places:
    """Where to look: what the user named. Paths; empty means not given.

    ``debuginfod`` allows requests to ``debuginfod_urls``, or where these are empty to the servers of
    ``DEBUGINFOD_URLS``; all of them together may take ``debuginfod_deadline`` seconds (0: the default).
    """

    executable: str = ""
    debug_directories: tuple[str, ...] = ()
    sysroot: str = ""
    packs: tuple[str, ...] = ()
    debuginfod: bool = False
    debuginfod_urls: tuple[str, ...] = ()
    debuginfod_deadline: float = 0.0

    @property
    def system_debug(self) -> str:
        """Where separate debug files are installed: on this host, or in the sysroot."""
        return self.sysroot.rstrip("/") + SYSTEM_DEBUG_DIRECTORY if self.sysroot else SYSTEM_DEBUG_DIRECTORY

    @property
    def may_fetch(self) -> bool:
        """Whether debuginfod servers may be asked; who names none pays nothing for the question."""
        if not (self.debuginfod or self.debuginfod_urls or os.environ.get("DEBUGINFOD_URLS")):
            return False
        from forensics.symbols.debuginfod.settings import asked

        return asked(self)
