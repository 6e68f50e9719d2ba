"""What real crashes left: for each the texts in ``data``, and the fingerprint that all of them must have.

``samples`` has cores and logs of the first ten. The others are HAProxys built with debug information (`built`) and
packages of Debian (`debian`) that were told `debug dev bug`, `panic` or `loop`, or whose list of tables was broken before
`show table`, or that ran a script or a regular expression without end (``samples.lab.dying``). Each core was given to gdb 13.1, to eu-stack 0.188 and to the systemd-coredump 252 of Debian 12, whose
records went through journalctl and coredumpctl; `stripped` and `symtab` are forms with another executable beside the
same core: without symbols, and without debug information. Paths of builds, names of hosts and the release of the
kernel were replaced.
"""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"

#: Crashes that are the same one: the race and the release that was forced into it; commands of several releases.
SAME = {
    "requeue-race-2.9.6": "requeue race",
    "requeue-race-3.0.11": "requeue race",
    "requeue-fixed-3.0.11": "requeue race",
    "bug-on-2.6.12": "debug dev bug, by task_run_applet",
    "built-2.6.12-bug": "debug dev bug, by task_run_applet",
    "built-2.8-bug": "debug dev bug, by task_run_applet",
    "bug-on-3.4.7": "debug dev bug, by task_process_applet",
    "journal-bug-3.4.7": "debug dev bug, by task_process_applet",
    "debian-3.2.26-bug": "debug dev bug, by task_process_applet",
    "watchdog-loop-3.0.11": "debug dev loop, by task_process_applet",
    "debian-3.2.26-loop": "debug dev loop, by task_process_applet",
    "built-2.2.9-loop": "debug dev loop, by task_run_applet",
    "debian-2.6.12-loop": "debug dev loop, by task_run_applet",
    "debian-2.6.12-lua": "a script without end",
    "container-lua-loop-3.2.26": "a script without end",
    "built-3.0.11-panic": "debug dev panic, by task_process_applet",
    "debian-3.4.7-panic": "debug dev panic, by task_process_applet",
    "panic-3.4.7": "debug dev panic, by task_process_applet",
}

_INLINED = "systemd-coredump with debug information names the inlined function, not the one that has the frame"
_OLD_CHECK = "a check up to 2.7 ends in SIGSEGV, in a fragment that has no name without symbols"
_STATIC = "the function that stopped is static, and without symbols it has no name"
_PANIC = "ha_panic() aborts in a fragment that has no name without symbols, and abort() alone is no panic"
_APPLET = "up to 2.8 handlers of applets are static; without symbols only a thread dump tells the applet"
_LINE = "one line of the kernel tells no caller, and not even the function"
_OUTSIDE = "no text tells that the signal came from outside"

#: Witnesses that cannot give the fingerprint of their crash, and why.
EXCEPTIONS = {
    ("requeue-race-2.9.6", "info"): _INLINED,
    ("requeue-race-2.9.6", "journal"): _INLINED,
    ("requeue-race-3.0.11", "info"): _INLINED,
    ("built-2.6.12-bug", "info"): _INLINED,
    **{("bug-on-2.6.12", form): _OLD_CHECK for form in ("gdb-bt", "info", "eu-stack")},
    **{("requeue-forced-2.6.12", form): _OLD_CHECK for form in ("gdb-bt", "info", "eu-stack")},
    **{("built-2.6.12-bug", form): _OLD_CHECK for form in ("stripped.gdb-bt", "stripped.info", "stripped.eu-stack")},
    **{("segfault-2.6.12", form): _STATIC for form in ("gdb-bt", "eu-stack")},
    **{
        (f"built-{version}-segfault", f"stripped.{form}"): _STATIC
        for version in ("2.6.12", "3.0.11")
        for form in ("gdb-bt", "info", "eu-stack")
    },
    **{("debian-3.4.7-panic", form): _PANIC for form in ("gdb-bt", "info")},
    **{("built-3.0.11-panic", f"stripped.{form}"): _PANIC for form in ("gdb-bt", "info", "eu-stack")},
    **{("built-2.2.9-loop", f"stripped.{form}"): _APPLET for form in ("gdb-bt", "info", "eu-stack")},
    **{("debian-2.6.12-loop", form): _APPLET for form in ("gdb-bt", "info", "eu-stack")},
    **{
        (name, "kernel"): _LINE
        for name in (
            "built-2.6.12-bug",
            "built-2.6.12-segfault",
            "built-2.8-bug",
            "built-3.0.11-segfault",
            "debian-3.2.26-bug",
        )
    },
    **{("signal-from-outside-2.6.12", form): _OUTSIDE for form in ("gdb-bt", "info")},
}

#: The witness whose fingerprint the others must have, where there is no core in the samples.
_REFERENCE = ("gdb-bt", "log")


def crashes() -> list[str]:
    """Every crash with texts."""
    return sorted(path.name for path in DATA.iterdir() if path.is_dir())


def witnesses() -> list[tuple[str, str]]:
    """Every crash with the form of each text of it."""
    return [(name, path.stem) for name in crashes() for path in sorted((DATA / name).glob("*.txt"))]


def text_of(name: str, form: str) -> str:
    """What this witness wrote."""
    return (DATA / name / f"{form}.txt").read_text(encoding="utf-8")


def reference_of(name: str) -> str:
    """The form that the other texts are compared with, where no core is at hand."""
    forms = [form for form in _REFERENCE if (name, form) in witnesses() and (name, form) not in EXCEPTIONS]
    return forms[0]
