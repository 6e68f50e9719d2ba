"""HAProxys that die in ways that no command of theirs makes: by Lua, by damaged memory, by a full stack.

What a debugger does to the process is as little as possible, and it is gone when the process dies, so that the core is
the kernel's.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from samples.lab.haproxy import Crashed, HAProxy, LabError, collect, config_text, work_folder
from samples.lab.loaded import Runnable

#: Seconds that a debugger may take.
_GDB = 60
#: gdb 13 fails an assertion of its own when the process dies while it is attached, and then writes a core of itself,
#: as root against any limit: it is told not to, and works where such a core harms nobody.
_DEBUGGER = (
    "gdb", "--batch", "-nx",
    "-iex", "maint set internal-error corefile no", "-iex", "maint set internal-error quit yes",
)  # fmt: skip
WEB = "web"

LUA = """\
core.register_action("spin", {"http-req"}, function(txn) while true do end end)
"""
#: Nothing may interrupt the script: neither the number of its instructions nor the time that it takes (3.0 on).
LUA_CONFIG = """\
global
    lua-load spin.lua
    tune.lua.forced-yield 2000000000
    tune.lua.session-timeout 0
{more}
frontend web
    bind unix@web
    http-request lua.spin
    http-request return status 200
"""
TARPIT = """\
frontend web
    bind unix@web
    timeout tarpit 20s
    http-request tarpit
"""

#: Make the stream believe that it was called a hundred million times in this second, whenever it is called.
SPINNING = """\
set pagination off
handle SIGALRM SIGUSR2 SIGURG SIGSEGV SIGILL nostop noprint pass
break process_stream if context == (void *){stream}
commands
silent
set $rate = &((struct stream *){stream})->call_rate
set $rate->curr_ctr = 200000000
set $rate->prev_ctr = 200000000
set $rate->curr_tick = (unsigned)global_now_ms & ~1
continue
end
printf "ARMED\\n"
continue
"""

#: Free one object twice from the same place, when the next stream ends.
DOUBLE_FREE = """\
set $pool = *(unsigned long *)&pool_head_stream
break *(unsigned long)&__pool_free if $rdi == $pool
printf "ARMED\\n"
continue
set $item = $rsi
set $back = *(unsigned long *)$rsp
delete
tbreak *$back
continue
set $rdi = $pool
set $rsi = $item
set $pc = $back - 5
detach
"""


@contextmanager
def dying(
    subject: Runnable,
    directory: Path,
    *,
    extra: str = "",
    arguments: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
) -> Iterator[tuple[HAProxy, list[Crashed]]]:
    """A HAProxy that the block makes die; what it left is then the only element of the list."""
    program, first = subject.command()
    folder = work_folder(directory.name, subject.jail)
    for name, text in (files or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    left: list[Crashed] = []
    options = {"sysroot": subject.jail, "arguments": (*first, *arguments), "open_files": 256}
    with HAProxy(program, config_text(2, extra), folder, **options) as running:  # type: ignore[arg-type]  # by name
        yield running, left
        returncode = running.wait_end(20.0)
    left.append(collect(running, directory, returncode))


def gdb(pid: int, *commands: str, root: Path | None = None) -> str:
    """What gdb says to the commands, attached to the process, which then goes on; ``root`` has its libraries."""
    lines = ("set pagination off", "handle SIGALRM SIGUSR2 SIGUSR1 SIGURG SIGPIPE nostop noprint pass", *commands)
    arguments = [word for line in lines for word in ("-ex", line)]
    sysroot = ["-iex", f"set sysroot {root}"] if root else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*_DEBUGGER, *sysroot, "-p", str(pid), *arguments], cwd=folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_GDB, check=False,
        )  # fmt: skip
    return done.stdout + done.stderr


def ask(folder: Path, timeout: float = 10.0, path: str = "/") -> None:
    """One request to the frontend of the folder; it may well get no answer."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout)
            peer.connect(f"/proc/self/fd/{place}/{WEB}")
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
            peer.recv(1000)
    except OSError:
        pass
    finally:
        os.close(place)


def tell(running: HAProxy, command: str) -> str:
    """A command that may end the process before it answers."""
    try:
        return running.cli(command, 2.0)
    except OSError:
        return ""


def by_lua(subject: Runnable, directory: Path, *, burst: bool) -> Crashed:
    """A script that never returns; ``burst`` says that this release limits the time of scripts (2.9 on)."""
    more = "    tune.lua.burst-timeout 0\n" if burst else ""
    with dying(subject, directory, extra=LUA_CONFIG.format(more=more), files={"spin.lua": LUA}) as (running, left):
        ask(running.folder)
    return left[0]


def by_heap(subject: Runnable, directory: Path) -> Crashed:
    """A chunk of the heap, whose size is overwritten, is given back."""
    return by_debugger(
        subject, directory, "set $chunk = ((unsigned long (*)(unsigned long))malloc)(5000)",
        "set *(unsigned long *)($chunk - 8) = 0x9", "call ((void (*)(unsigned long))free)($chunk)", "continue",
    )  # fmt: skip


def by_double_free(subject: Runnable, directory: Path) -> Crashed:
    """An object of a pool is freed twice, from the place where streams are freed."""
    with dying(subject, directory, arguments=("-dMtag,no-merge",)) as (running, left):
        script = running.folder / "double-free.gdb"
        script.write_text("set pagination off\nhandle SIGALRM SIGUSR2 SIGURG nostop noprint pass\n" + DOUBLE_FREE)
        with armed(running.pid, script):
            tell(running, "show info")
            running.wait_end(10.0)
    return left[0]


@contextmanager
def armed(pid: int, script: Path) -> Iterator[None]:
    """A debugger with a script beside the block, which begins when the script says ARMED."""
    command = [*_DEBUGGER, "-p", str(pid), "-x", str(script)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True) as debugger,
    ):  # fmt: skip
        assert debugger.stdout is not None
        # gdb may loop by itself when what it debugs dies: it must not outlive its turn.
        watch = threading.Timer(_GDB, debugger.kill)
        watch.start()
        try:
            if not any(line.startswith("ARMED") for line in debugger.stdout):
                raise LabError("gdb did not get there")
            time.sleep(0.3)
            yield
        finally:
            watch.cancel()
            if debugger.poll() is None:
                debugger.terminate()
                with suppress(subprocess.TimeoutExpired):
                    debugger.wait(5)
                debugger.kill()


def by_spinning(subject: Runnable, directory: Path) -> Crashed:
    """A stream that waits is told that it was called a hundred million times a second, then woken. Needs DWARF."""
    with dying(subject, directory, extra=TARPIT) as (running, left):
        threading.Thread(target=ask, args=(running.folder,), daemon=True).start()
        time.sleep(0.5)
        stream = next(line.split(":")[0] for line in running.cli("show sess").splitlines() if "fe=web" in line)
        script = running.folder / "spinning.gdb"
        script.write_text(SPINNING.format(stream=stream))
        with armed(running.pid, script):
            for _turn in range(20):  # the clock may go on between the breakpoint and the check
                tell(running, f"expert-mode on; debug dev stream strm={stream} wake")
                if running.wait_end(0.5) is not None:
                    break
    return left[0]


def by_recursion(subject: Runnable, directory: Path) -> Crashed:
    """A function of the CLI is made to call itself, right behind its prologue."""
    function = "cli_parse_show_env"
    listing = subprocess.run(
        ["gdb", "--batch", "-nx", str(subject.executable), "-ex", f"disassemble {function}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_GDB, check=True,
    ).stdout  # fmt: skip
    prologue = re.search(r"<\+\d+>:\s+sub\s+\$0x[0-9a-f]+,%rsp\n\s+0x[0-9a-f]+ <\+(\d+)>", listing)
    if prologue is None:
        raise LabError(f"{function}() has another prologue")
    offset = int(prologue[1])
    place = f"((unsigned long)&{function} + {offset})"
    with dying(subject, directory) as (running, left):
        gdb(running.pid, f"set *(unsigned char *){place} = 0xe8",
            f"set *(unsigned int *)({place} + 1) = {-offset - 5 & 0xFFFFFFFF}", "detach")  # fmt: skip
        tell(running, "show env")
    return left[0]


def by_debugger(subject: Runnable, directory: Path, *commands: str) -> Crashed:
    """Whatever the commands do, the last of which lets it die."""
    return _killed(subject, directory, lambda running: gdb(running.pid, *commands, root=subject.jail))


def by_signal(subject: Runnable, directory: Path, number: int) -> tuple[Crashed, int]:
    """A signal from a shell, and the pid of that shell."""
    sender: list[int] = []

    def kill(running: HAProxy) -> None:
        with subprocess.Popen(["sh", "-c", f"kill -{number} {running.pid}; exit 0"]) as shell:
            sender.append(shell.pid)

    return _killed(subject, directory, kill), sender[0]


def _killed(subject: Runnable, directory: Path, how: Callable[[HAProxy], object]) -> Crashed:
    with dying(subject, directory) as (running, left):
        how(running)
    return left[0]


#: A regular expression of POSIX with a back reference takes time that grows exponentially with the text.
REGEX = """\
frontend web
    bind unix@web
    http-request replace-path '^/((a*)*)*\\2b$' /x
    http-request return status 200
"""


def by_regex(subject: Runnable, directory: Path, length: int = 400) -> Crashed:
    """A request whose path keeps libc's regular expressions busy."""
    with dying(subject, directory, extra=REGEX) as (running, left):
        ask(running.folder, path="/" + "a" * length)
    return left[0]
