"""What HAProxys of many releases write when they die: ``python -m samples.lab.texts [NAME...] --output DIR``.

Each way is a hand that does something to a running process, and the truth about it: what the process can have died of,
and nothing that was read from its words. ``DIR/truth.json`` keeps the truth beside the texts: what the recipe did, the
pid that was asked to die, and the code that came back. The reader of the texts is judged by it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from samples.lab import machine
from samples.lab.build import Variant, build
from samples.lab.builds import CHECKOUT, runnable
from samples.lab.dying import armed, ask, gdb, tell
from samples.lab.haproxy import HAProxy, LabError, config_text, work_folder
from samples.lab.loaded import Runnable
from samples.lab.packages import BOOKWORM

#: Builds, and the releases that they are.
RELEASES = {
    "haproxy-2.2": "2.2.9",
    "packaged": "2.6.12",
    "haproxy-2.8": "2.8.25",
    "haproxy-3.0": "3.0.11",
    "package-3.0": "3.0.11",
    "package-3.2": "3.2.26",
    "package-3.4": "3.4.7",
    "asan": "3.0.11",
    "musl": "2.6.12",
}
#: Builds that are made for these texts only. musl has neither the kernel's headers nor, in Debian, those of libcrypt.
VARIANTS = {
    "asan": Variant("haproxy-3.0-asan", options=("ARCH_FLAGS=-g -fsanitize=address", "OPT_CFLAGS=-O1")),
    "musl": Variant(
        "haproxy-2.6-musl", suite=BOOKWORM, compiler="musl-gcc",
        options=("TARGET=linux-musl", "USE_LIBCRYPT=",
                 "ADDINC=-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu"),
    ),
}  # fmt: skip
#: What stands behind the name of a text where another build of the release has the same.
SUFFIXES = {"haproxy-3.0": "-build", "musl": "-musl"}
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
    of the release. ``stuck`` is what a thread of a panic could not leave, ``role`` what the master calls the process,
    ``deaths`` how many processes died by a fault.
    """

    act: Callable[[Running], None]
    kind: str = ""
    signal: str = ""
    command: str = ""
    condition: str = ""
    function: str = ""
    message: str = ""
    stuck: str = ""
    role: str = ""
    deaths: int = 1
    arguments: tuple[str, ...] = ()
    extra: str = ""
    preload: str = ""
    kernel: bool = False
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
    family = words.split(maxsplit=1)[0]
    return Way(lambda running: running.tell(f"debug dev {words}"), kind, name, family, **truth)  # type: ignore[arg-type]  # by name


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


def _call(*commands: str) -> Callable[[Running], None]:
    """Functions of libraries are called in the process, by gdb."""

    def act(running: Running) -> None:
        gdb(running.victim, *commands, "continue", root=running.subject.jail)

    return act


#: A group of processes with little memory (cgroup v1, the memory controller).
_GROUP = Path("/sys/fs/cgroup/memory/haproxy-lab")


def _out_of_memory(running: Running) -> None:
    """The process alone may have 16 MiB, and wants 64 of them."""
    _GROUP.mkdir()
    try:
        (_GROUP / "memory.limit_in_bytes").write_text(str(16 << 20))
        (_GROUP / "cgroup.procs").write_text(str(running.victim))
        gdb(
            running.victim, "set $chunk = ((unsigned long (*)(unsigned long))malloc)(64 << 20)",
            "call ((void *(*)(unsigned long, int, unsigned long))memset)($chunk, 1, 64 << 20)", "continue",
            root=running.subject.jail,
        )  # fmt: skip
        running.haproxy.wait_end(_DEATH)
    finally:
        _GROUP.rmdir()


def _kernel_words(since: float) -> bytes:
    """What the kernel said of the last process that it killed for memory, without the name of the machine."""
    said = subprocess.run(["dmesg"], capture_output=True, text=True, timeout=10, check=True).stdout
    lines = said[said.rfind("\n", 0, said.rfind("invoked oom-killer")) + 1 :].splitlines()
    end = next((at for at, line in enumerate(lines) if "Killed process" in line), len(lines))
    if not lines or float(lines[0].lstrip("[ ").partition("]")[0]) < since:
        raise LabError("the kernel killed nothing for memory")
    own = [line for line in lines[: end + 1] if "traps: " not in line and "segfault at" not in line]
    return "".join(re.sub(r"(Hardware name:).*", r"\1 x", line) + "\n" for line in own).encode()


#: The next stream that ends: what is done before its memory is given back, and after.
_FREED = """\
set pagination off
handle SIGALRM SIGUSR2 SIGURG nostop noprint pass
set $pool = *(unsigned long *)&pool_head_stream
break *(unsigned long)&__pool_free if $rdi == $pool
printf "ARMED\\n"
continue
set $item = $rsi
set $back = *(unsigned long *)$rsp
delete
{before}
tbreak *$back
continue
{after}
detach
"""


def _size_of_stream(running: Running) -> str:
    """Bytes of an object of that pool, without the tag; a pool may go by the name of another one of its size."""
    told = gdb(running.victim, 'printf "POOL %#lx\\n", *(unsigned long *)&pool_head_stream', "detach")
    pool = re.search(r"POOL (0x[0-9a-f]+)", told)
    lines = running.haproxy.cli("show pools").splitlines()
    found = [re.search(r"\((\d+) bytes[/)]", line) for line in lines if pool and f"@{pool[1]} " in f"{line} "]
    if not found or found[0] is None:
        raise LabError("no pool of streams")
    return found[0][1]


def _freed(before: str, after: str) -> Callable[[Running], None]:
    """Something is done to the memory of a stream that is given back; then streams come and go."""

    def act(running: Running) -> None:
        size = _size_of_stream(running)
        script = running.haproxy.folder / "freed.gdb"
        script.write_text(_FREED.format(before=before.replace("SIZE", size), after=after))
        with armed(running.victim, script):
            for _turn in range(3):
                tell(running.haproxy, "show info")
                if running.haproxy.wait_end(1.0) is not None:
                    break

    return act


def _dangling(*commands: str) -> Callable[[Running], None]:
    """A chunk is given back by gdb; ``commands`` follow, then HAProxy's own `debug dev hex` reads it."""

    def act(running: Running) -> None:
        told = gdb(
            running.victim, "set $chunk = ((unsigned long (*)(unsigned long))malloc)(64)",
            "call ((void (*)(unsigned long))free)($chunk)", 'printf "CHUNK %#lx\\n", $chunk', *commands, "detach",
        )  # fmt: skip
        chunk = re.search(r"CHUNK (0x[0-9a-f]+)", told)
        if chunk is not None:
            running.tell(f"debug dev hex {chunk[1]} 16")

    return act


def _run_script(running: Running) -> None:
    """A request that the script answers."""
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
    "loop": _command("loop 8000", "watchdog", "SIGABRT", stuck="cli"),
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
#: Nothing may interrupt the script; the limit of 2.9 on is lifted where there is one.
_LOOP, _LOOP_FILES = _lua("while true do end")
_FOREVER = "    tune.lua.forced-yield 2000000000\n    tune.lua.session-timeout 0\n"
_BURST = "    tune.lua.burst-timeout 0\n"


def _lua_loop(limits: str) -> Way:
    """A request that enters an endless loop of a script."""
    extra = _LOOP.replace("    lua-load", limits + "    lua-load")
    return Way(_run_script, "watchdog", "SIGABRT", stuck="lua", extra=extra, files=_LOOP_FILES)


#: In packages, which have Lua.
LUA = {"lua-error": Way(_run_script, deaths=0, extra=_ERROR, files=_ERROR_FILES, ends=False)}
#: What libraries say, called by gdb in a process that is linked with them.
_LIBRARY: dict[str, tuple[str, ...]] = {
    "stack-smashed": (
        "heap_corruption",
        "*** stack smashing detected ***: terminated",
        "call ((void (*)())__stack_chk_fail)()",
    ),
    "buffer-overflow": (
        "heap_corruption",
        "*** buffer overflow detected ***: terminated",
        "call ((void (*)())__chk_fail)()",
    ),
    "assertion": (
        "unknown",
        "list != NULL",
        'call ((void (*)(char *, char *, unsigned, char *))__assert_fail)("list != NULL", "lib/list.c", 12, "pop")',
    ),
    "openssl": (
        "unknown",
        "assertion failed: ctx->digest",
        'call ((void (*)(char *, char *, int))OPENSSL_die)("assertion failed: ctx->digest", "crypto/evp/digest.c", 12)',
    ),
    "lua-panic": (
        "unknown",
        "boom",
        "set $l = ((void *(*)())luaL_newstate)()",
        'call ((char *(*)(void *, char *))lua_pushstring)($l, "boom")',
        "call ((int (*)(void *))lua_error)($l)",
    ),
    "heap-top": (
        "heap_corruption",
        "malloc(): corrupted top size",
        "set $c = ((unsigned long (*)(unsigned long))malloc)(100000)",
        "set *(unsigned long *)($c + 100008 - 0) = 0xfffffffffffffff1",
        "set $c = ((unsigned long (*)(unsigned long))malloc)(120000)",
    ),
}
LIBRARIES = {
    name: Way(_call(*commands), kind, "SIGABRT", message=message)
    for name, (kind, message, *commands) in _LIBRARY.items()
}
#: AddressSanitizer ends the process by exit(1).
ASAN = {
    "asan-read": Way(_dangling(), "heap_corruption", "", "hex", function="dump_hex", message="heap-use-after-free"),
}
#: A library that prints a backtrace of libc's when the process faults, as libSegFault.so did.
HANDLER = """\
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>
static void fault(int number)
{
    void *found[64];
    write(2, "Backtrace:\\n", 11);
    backtrace_symbols_fd(found, backtrace(found, 64), 2);
    signal(number, SIG_DFL);
    raise(number);
}
__attribute__((constructor)) static void prepare(void) { signal(SIGSEGV, fault); }
"""
PRELOADED = {"backtrace-symbols": _command("tkill 0 11", "", "SIGSEGV", preload=HANDLER)}
#: Where gdb can call functions of the machine's own libc.
HEAP = {
    "heap-size": Way(_heap, "heap_corruption", "SIGABRT"),
    "heap-twice": Way(_twice, "heap_corruption", "SIGABRT"),
}
#: Told by the kernel.
MEMORY = {"out-of-memory": Way(_out_of_memory, "oom", "SIGKILL", role="current", arguments=MASTER, kernel=True)}
#: Since 2.8, and 2.9.
DEADLOCK = {"deadlock": _command("deadlock 2", "watchdog", "SIGABRT", stuck="lock")}
#: Pools that check themselves; the words of 2.9-dev6 on.
TAGS, INTEGRITY = ("-dMtag,no-merge",), ("-dMtag,integrity,no-merge",)
#: The list of pools is cut at the end of a buffer, up to 3.0.
LARGE = "global\n    tune.bufsize 32768\n"
POOLS = {
    "pool-twice": Way(
        _freed("", "set $rdi = $pool\nset $rsi = $item\nset $pc = $back - 5"),
        "pool_corruption",
        "bug",
        arguments=TAGS,
        extra=LARGE,
    ),
    "pool-tag": Way(
        _freed("set *(unsigned long *)($item + SIZE) = 0x4141414141414141", ""),
        "pool_corruption",
        "bug",
        arguments=TAGS,
        extra=LARGE,
    ),
    "pool-write": Way(
        _freed("", "set *(unsigned long *)($item + 0x48) = 0x4141414141414141"),
        "pool_corruption",
        "bug",
        arguments=INTEGRITY,
        extra=LARGE,
    ),
}
ISOLATED = {"loop-isolated": _command("loop 8000 isolated", "watchdog", "SIGABRT", stuck="cli")}


def ways(name: str) -> dict[str, Way]:
    """What can be done to a build."""
    if name == "asan":
        return ASAN
    if name == "musl":
        return {"loop": WAYS["loop"], "panic": WAYS["panic"], "bug": LATER["bug"], "bug-master": LATER["bug-master"]}
    number = tuple(int(part) for part in RELEASES[name].split("."))
    found = (
        dict(WAYS)
        | (LUA if name.startswith("packag") else {})
        | ({} if name.startswith("package-") else HEAP)
        | (LIBRARIES | PRELOADED | MEMORY if name == "packaged" else {})
    )
    if number >= (2, 4):
        found |= LATER
    if number >= (2, 6):
        found |= POOLS
    if number >= (2, 8):
        found |= DEADLOCK
    if number >= (2, 9):
        found |= ISOLATED
    if name.startswith("packag"):
        found["lua-loop"] = _lua_loop(_FOREVER + (_BURST if number >= (2, 9) else ""))
    return found


#: The ways that every release is kept of, and the others, of the builds in which they tell something new.
_ALWAYS = ("panic", "loop", "loop-isolated", "deadlock", "bug", "bug-master")
_KEPT = {
    "haproxy-2.2": ("former-segv", "kill-bus", "heap-size", "bad-reload", "tkill-abrt"),
    "packaged": (
        "warn", "check", "lua-error", "lua-loop", "kill-fpe", "pool-tag", "pool-write",
        *LIBRARIES, *PRELOADED, *MEMORY,
    ),
    "haproxy-2.8": ("kept-master", "exit", "pool-tag", "pool-write", "tkill-segv"),
    "package-3.0": ("lua-loop", "former-segv", "kill-kill", "bad-reload", "pool-tag", "pool-twice"),
    "package-3.2": ("kill-segv", "exit", "kill-term", "pool-tag", "pool-write"),
    "package-3.4": (
        "former-segv", "bad-reload", "warn", "check", "lua-error", "lua-loop", "kill-kill", "exit", "pool-tag",
        "pool-twice", "pool-write",
    ),
    "haproxy-3.0": ("heap-twice",),
    "asan": tuple(ASAN),
    "musl": (),
}  # fmt: skip


def kept() -> list[str]:
    """The texts that the tests keep."""
    always = [(origin, way) for origin in RELEASES for way in _ALWAYS if way in ways(origin)]
    others = [(origin, way) for origin, several in _KEPT.items() for way in several]
    return [f"{origin}:{way}" for origin, way in (*always, *others) if origin != "haproxy-3.0" or way in _KEPT[origin]]


def names() -> list[str]:
    """Every text: BUILD:WAY."""
    return [f"{origin}:{way}" for origin in RELEASES for way in ways(origin)]


def make(lab: Path, name: str, output: Path) -> dict[str, object]:
    """Do one way to one build; the truth about it."""
    origin, _, key = name.partition(":")
    release, way = RELEASES[origin], ways(origin)[key]
    subject = _subject(lab, origin)
    program, first = subject.command()
    folder = work_folder("texts", subject.jail)
    if way.preload:
        library = folder / "preload.so"
        command = ["gcc", "-shared", "-fPIC", "-o", str(library), "-x", "c", "-"]
        subprocess.run(command, input=way.preload, text=True, check=True, timeout=60)
        program, first = Path("/usr/bin/env"), (f"LD_PRELOAD={library}", str(program), *first)
    for file, text in way.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    options = {"sysroot": subject.jail, "arguments": (*first, *way.arguments), "open_files": 256, "both": True}
    started = time.clock_gettime(time.CLOCK_BOOTTIME)
    with HAProxy(program, config_text(2, way.extra), folder, **options) as haproxy:  # type: ignore[arg-type]  # by name
        running = Running(haproxy, subject, haproxy.worker())
        way.act(running)
        code = haproxy.wait_end(_DEATH) if way.ends else None
        if way.ends and code is None:
            raise LabError(f"{name}: it lives")
        if not way.ends:
            time.sleep(0.5)
            haproxy.stop()
    path = output / f"{release}-{key}{SUFFIXES.get(origin, '')}.log"
    kernel = _kernel_words(started) if way.kernel else b""
    path.write_bytes(
        (kernel + haproxy.log.read_bytes())
        .replace(str(subject.executable).encode(), b"/usr/sbin/haproxy")
        .replace(str(folder).encode(), b"/usr/lib")
    )
    machine.redact(path)
    shutil.rmtree(folder)
    truth = {name: value for name, value in _told(way).items() if value not in ("", ())}
    if truth.get("signal") == "bug":
        truth["signal"] = "SIGILL" if tuple(map(int, release.split("."))) >= (2, 8) else "SIGSEGV"
    return {"text": path.name, "recipe": name, "release": release, "pid": running.victim, "code": code, **truth}


def _subject(lab: Path, name: str) -> Runnable:
    """The build of this name."""
    if name in VARIANTS:
        return Runnable(build(lab, VARIANTS[name]).executable)
    return Runnable(Path("/usr/sbin/haproxy")) if name == "packaged" else runnable(lab, name)


def _told(way: Way) -> dict[str, object]:
    """What a way says of itself, without what it does."""
    told = ("kind", "signal", "command", "condition", "function", "message", "stuck", "role", "deaths")
    return {name: getattr(way, name) for name in told}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every text asked for was made."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.texts", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="BUILD:WAY; without, those that the tests keep; all for every one", metavar="NAME"
    )
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="builds and packages")
    parser.add_argument("--output", type=Path, required=True, help="where texts and truth go")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    told = options.output / TRUTH
    truth = {one["text"]: one for one in json.loads(told.read_text())} if told.exists() else {}
    failed = 0
    for name in names() if options.names == ["all"] else options.names or kept():
        try:
            made = make(options.lab.resolve(), name, options.output)
            truth[str(made["text"])] = made
        except (LabError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"{name}: {str(error)[-300:]}", file=sys.stderr)
    told.write_text(json.dumps([truth[text] for text in sorted(truth)], indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
