"""What HAProxys of many releases write when they die: ``python -m samples.lab.texts [NAME...] --output DIR``.

Each way is a hand that does something to a running process, and the truth about it: what the process can have died of,
and nothing that was read from its words. ``DIR/truth.json`` keeps the truth beside the texts: what the recipe did, the
pid that was asked to die, and the code that came back. The reader of the texts is judged by it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from samples.lab import machine
from samples.lab.builds import CHECKOUT, runnable
from samples.lab.dying import ask, gdb, tell
from samples.lab.haproxy import CONFIG, HAProxy, LabError, config_text, work_folder
from samples.lab.loaded import Runnable

#: Builds, and the releases that they are.
RELEASES = {
    "haproxy-2.2": "2.2.9",
    "packaged": "2.6.12",
    "haproxy-2.8": "2.8.25",
    "haproxy-3.0": "3.0.11",
    "package-3.0": "3.0.11",
    "package-3.2": "3.2.26",
    "package-3.4": "3.4.7",
}
TRUTH = "truth.json"

WAITING = """\
frontend web
    bind unix@web
    timeout tarpit 20s
    http-request tarpit
"""
SCRIPT = """\
frontend web
    bind unix@web
    http-request lua.run
    http-request return status 200
"""
#: Seconds in which a process dies that was told to.
_DEATH = 20.0


@dataclass(frozen=True)
class Way:
    """One way to die, or to suffer and live.

    ``kind``, ``signal`` and the rest are the truth, empty where there is none: ``signal`` of a failed assertion is that
    of the release. ``role`` is what the master calls the process, ``deaths`` how many processes died by a fault.
    """

    act: Callable[[Running], None]
    kind: str = ""
    signal: str = ""
    command: str = ""
    condition: str = ""
    function: str = ""
    role: str = ""
    deaths: int = 1
    arguments: tuple[str, ...] = ()
    extra: str = ""
    files: dict[str, str] = field(default_factory=dict)
    ends: bool = True


@dataclass
class Running:
    """A process that a way is done to: ``victim`` is the pid that dies."""

    haproxy: HAProxy
    subject: Runnable
    victim: int

    def tell(self, command: str) -> None:
        """A command in expert mode."""
        tell(self.haproxy, f"expert-mode on; {command}")


def _command(words: str, kind: str, name: str, **truth: object) -> Way:
    """A command of the family `debug dev`."""
    family = words.split()[0]
    return Way(lambda running: running.tell(f"debug dev {words}"), kind, name, family, **truth)  # type: ignore[arg-type]


def _kill(number: int) -> Callable[[Running], None]:
    return lambda running: os.kill(running.victim, number)


def _reload(running: Running) -> None:
    """The master starts another worker; the old one stays as long as a client does."""
    os.kill(running.haproxy.pid, signal.SIGUSR2)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.1)
        try:
            if running.haproxy.worker() != running.victim:
                return
        except (OSError, LabError):
            continue
    raise LabError("it did not reload")


def _former(number: int) -> Callable[[Running], None]:
    """A former worker, kept by a client, is sent a signal; the new one lives on."""

    def act(running: Running) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{running.haproxy.folder}/web")
            client.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
            time.sleep(0.3)
            _reload(running)
            os.kill(running.victim, number)
            time.sleep(0.5)

    return act


def _bad_reload(running: Running) -> None:
    """A reload with a configuration that cannot be read."""
    running.haproxy.config.write_text(running.haproxy.config.read_text() + "\nfrontend broken\n    bind nowhere:x\n")
    os.kill(running.haproxy.pid, signal.SIGUSR2)
    time.sleep(1.0)


def _heap(running: Running) -> None:
    """The size of a chunk of the heap is overwritten, then the chunk is given back."""
    gdb(
        running.victim, "set $chunk = ((unsigned long (*)(unsigned long))malloc)(5000)",
        "set *(unsigned long *)($chunk - 8) = 0x9", "call ((void (*)(unsigned long))free)($chunk)", "continue",
        root=running.subject.jail,
    )  # fmt: skip


def _twice(running: Running) -> None:
    """A chunk of the heap is given back twice."""
    gdb(
        running.victim, "set $chunk = ((unsigned long (*)(unsigned long))malloc)(40)",
        "call ((void (*)(unsigned long))free)($chunk)", "call ((void (*)(unsigned long))free)($chunk)", "continue",
        root=running.subject.jail,
    )  # fmt: skip


def _lua_error(running: Running) -> None:
    ask(running.haproxy.folder)


def _lua(body: str) -> tuple[str, dict[str, str]]:
    text = f'core.register_action("run", {{"http-req"}}, function(txn) {body} end)\n'
    return f"global\n    lua-load run.lua\n{SCRIPT}", {"run.lua": text}


_ERROR, _ERROR_FILES = _lua("local nothing = nil; nothing.index = 1")
MASTER = ("-W",)
BUG = {"condition": "one > zero", "function": "debug_parse_cli_bug"}

#: What can be done to every release.
WAYS: dict[str, Way] = {
    "panic": _command("panic", "watchdog", "SIGABRT"),
    "loop": _command("loop 8000", "watchdog", "SIGABRT"),
    "tkill-segv": _command("tkill 0 11", "", "SIGSEGV", role="current", arguments=MASTER),
    "tkill-abrt": _command("tkill 0 6", "", "SIGABRT", role="current", arguments=MASTER),
    "exit": _command("exit 1", "", "", role="current", arguments=MASTER, deaths=0),
    "kill-segv": Way(_kill(signal.SIGSEGV), "", "SIGSEGV", role="current", arguments=MASTER),
    "kill-kill": Way(_kill(signal.SIGKILL), "", "SIGKILL", role="current", arguments=MASTER),
    "kill-bus": Way(_kill(signal.SIGBUS), "", "SIGBUS", role="current", arguments=MASTER),
    "kill-fpe": Way(_kill(signal.SIGFPE), "", "SIGFPE", role="current", arguments=MASTER),
    "kill-term": Way(_kill(signal.SIGTERM), "", "", role="current", arguments=MASTER, deaths=0, ends=False),
    "former-segv": Way(
        _former(signal.SIGSEGV), "", "SIGSEGV", role="former", arguments=MASTER, extra=WAITING, ends=False
    ),
    "bad-reload": Way(_bad_reload, deaths=0, arguments=MASTER, ends=False),
    "kept-master": Way(
        _kill(signal.SIGSEGV), "", "SIGSEGV", role="current", arguments=MASTER, ends=False,
        extra="global\n    master-worker no-exit-on-failure\n",
    ),
}  # fmt: skip
#: Since 2.4.
LATER: dict[str, Way] = {
    "bug": _command("bug", "bug_on", "bug", **BUG),
    "bug-master": _command("bug", "bug_on", "bug", role="current", arguments=MASTER, **BUG),
    "warn": _command("warn", "", "", deaths=0, ends=False),
    "check": _command("check", "", "", deaths=0, ends=False),
}
#: In packages, which have Lua.
LUA = {"lua-error": Way(_lua_error, deaths=0, extra=_ERROR, files=_ERROR_FILES, ends=False)}
#: Where gdb can call functions of the machine's own libc.
HEAP = {
    "heap-size": Way(_heap, "heap_corruption", "SIGABRT"),
    "heap-twice": Way(_twice, "heap_corruption", "SIGABRT"),
}
#: Since 2.8, and 2.9.
DEADLOCK = {"deadlock": _command("deadlock 2", "watchdog", "SIGABRT")}
ISOLATED = {"loop-isolated": _command("loop 8000 isolated", "watchdog", "SIGABRT")}


def ways(build: str) -> dict[str, Way]:
    """What can be done to a build."""
    number = tuple(int(part) for part in RELEASES[build].split("."))
    found = dict(WAYS) | (LUA if build.startswith("packag") else {}) | ({} if build.startswith("package-") else HEAP)
    if number >= (2, 4):
        found |= LATER
    if number >= (2, 8):
        found |= DEADLOCK
    if number >= (2, 9):
        found |= ISOLATED
    return found


def names() -> list[str]:
    """Every text: BUILD:WAY."""
    return [f"{build}:{way}" for build in RELEASES for way in ways(build)]


def make(lab: Path, name: str, output: Path) -> dict[str, object]:
    """Do one way to one build; the truth about it."""
    build, _, key = name.partition(":")
    release, way = RELEASES[build], ways(build)[key]
    subject = Runnable(Path("/usr/sbin/haproxy")) if build == "packaged" else runnable(lab, build)
    program, first = subject.command()
    folder = work_folder("texts", subject.jail)
    for file, text in way.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    options = {"sysroot": subject.jail, "arguments": (*first, *way.arguments), "open_files": 256, "both": True}
    with HAProxy(program, config_text(2, way.extra), folder, **options) as haproxy:  # type: ignore[arg-type]
        running = Running(haproxy, subject, haproxy.worker())
        way.act(running)
        code = haproxy.wait_end(_DEATH) if way.ends else None
        if way.ends and code is None:
            raise LabError(f"{name}: it lives")
        if not way.ends:
            haproxy.stop()
    text = output / f"{release}-{key}{'' if build in ('packaged', 'haproxy-2.2', 'haproxy-2.8') else '-' + _origin(build)}.log"
    text.write_bytes(haproxy.log.read_bytes())
    machine.redact(text)
    truth = {key: value for key, value in asdict_of(way).items() if value not in ("", ())}
    if truth.get("signal") == "bug":
        truth["signal"] = "SIGILL" if tuple(map(int, release.split("."))) >= (2, 8) else "SIGSEGV"
    return {"text": text.name, "recipe": name, "release": release, "pid": running.victim, "code": code, **truth}


def _origin(build: str) -> str:
    return build.partition("-")[0]


def asdict_of(way: Way) -> dict[str, object]:
    """What a way says of itself, without what it does."""
    told = ("kind", "signal", "command", "condition", "function", "role", "deaths")
    return {name: getattr(way, name) for name in told}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every text asked for was made."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.texts", description=__doc__)
    parser.add_argument("names", nargs="*", help="BUILD:WAY; all without", metavar="NAME")
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="builds and packages")
    parser.add_argument("--output", type=Path, required=True, help="where texts and truth go")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    kept = options.output / TRUTH
    truth = {one["text"]: one for one in json.loads(kept.read_text())} if kept.exists() else {}
    failed = 0
    for name in options.names or names():
        try:
            made = make(options.lab.resolve(), name, options.output)
            truth[str(made["text"])] = made
        except (LabError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"{name}: {str(error)[-300:]}", file=sys.stderr)
    kept.write_text(json.dumps([truth[text] for text in sorted(truth)], indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
