"""One recipe per sample: what is started, what is done to it, what is kept."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samples.lab import build, gdb, machine, packages, traffic
from samples.lab.compress import LIMIT, pack
from samples.lab.haproxy import (
    LOG,
    PACKAGED,
    Crashed,
    HAProxy,
    LabError,
    collect,
    config_text,
    crash,
    move_sparse,
    work_folder,
)

PORTS = (18497, 18498)
PEER_PORTS = (18601, 18602)
EXPIRE_OFFSET = 0x78  # of ``expire`` in struct task, 2.6 to 3.0
LOCKED = 0x500000004  # the lock word of a 64-bit lock with one writer
INSTALLED = Path("/opt/haproxy-lab/sbin")

TRACKING = """\
frontend web
    bind 127.0.0.1:{ports[0]} thread 1
    bind 127.0.0.1:{ports[1]} thread 2
    http-request track-sc0 src table clients
    http-request return status 200

backend clients
    stick-table type ip size 1k expire {expire} store http_req_cnt{more}
"""

PEERS = """\
global
    localpeer here

peers cluster
    peer here 127.0.0.1:{ports[0]}
    peer there 127.0.0.1:{ports[1]}
"""

RACE = """\
# 1. thread 2 has seen that the table's task has no date, and is about to take the lock
hbreak *(stktable_requeue_exp+{lock})
printf "STAGE 1\\n"
continue
if $_thread != 2 || stktables_list->exp_task->expire != 0
  printf "NOT AS EXPECTED: thread %d\\n", $_thread
  kill
  quit 1
end
# 2. thread 1 sets the date, gives the lock back, and is about to queue the task
set scheduler-locking on
delete
hbreak *(stktable_requeue_exp+{queue})
thread 1
printf "STAGE 2\\n"
continue
# 3. thread 2 queues the task, runs it, and clears the date as no entry is left to expire
delete
thread 2
watch -location stktables_list->exp_task->expire if stktables_list->exp_task->expire == 0
printf "STAGE 3\\n"
continue
set $steps = 0
while stktables_list->lock != 0 && $steps < 100
  stepi
  set $steps = $steps + 1
end
backtrace
# 4. thread 1 goes on
delete
thread 1
printf "STAGE 4\\n"
continue
"""

FORCE = """\
set $low = (unsigned long)&{caller}
set $high = $low + {size}
hbreak *(unsigned long)&__task_queue
condition 1 *(unsigned long *)$rsp >= $low && *(unsigned long *)$rsp < $high
printf "ARMED\\n"
continue
backtrace 6
set *(int *)($rdi + {offset}) = 0
delete
printf "FORCED\\n"
detach
"""


@dataclass(frozen=True)
class Lab:
    """Where the lab keeps its things, and where finished samples go."""

    folder: Path
    output: Path

    def cores(self, name: str) -> Path:
        """The folder of the raw core of a sample."""
        return self.folder / "cores" / name

    def root(self, suite: packages.Suite) -> Path:
        """The sysroot of a suite."""
        return packages.sysroot(self.folder, suite).resolve()

    def installed(self, variant: build.Variant) -> tuple[Path, build.Built]:
        """A build of ours, at the neutral path from which it is run."""
        built = build.build(self.folder, variant)
        INSTALLED.mkdir(parents=True, exist_ok=True)
        path = INSTALLED / f"haproxy-{variant.name}"
        temporary = path.with_suffix(".new")
        shutil.copy2(built.executable, temporary)
        temporary.replace(path)
        return path, built


@dataclass(frozen=True)
class Recipe:
    """How a sample is made, and whether its core is kept with it."""

    make: Callable[[Lab, str], Crashed]
    signals: tuple[int, ...]
    keep_core: bool = True
    limit: int = LIMIT


def tracking(expire: str = "1s", more: str = "") -> str:
    """The sections of a proxy that tracks its clients in a stick table."""
    return TRACKING.format(ports=PORTS, expire=expire, more=more)


def _cli(command: str, suite: packages.Suite | None = None) -> Callable[[Lab, str], Crashed]:
    """A packaged HAProxy that is told to crash by its own CLI."""

    def make(lab: Lab, name: str) -> Crashed:
        root = lab.root(suite) if suite else None
        return crash(PACKAGED, command, lab.cores(name), sysroot=root)

    return make


def _scheduled(running: HAProxy, target: gdb.Target, script: Path) -> str:
    """Lead two threads through the race; gdb's output."""
    lock = gdb.address_of_statement(target, "stktable_requeue_exp", "HA_RWLOCK_WRLOCK(STK_TABLE_LOCK, &t->lock);")
    queue = gdb.address_of_statement(target, "stktable_requeue_exp", "if (task->tid < 0) {")
    script.write_text(RACE.format(lock=lock, queue=queue), encoding="utf-8")
    led = gdb.Script(target, running.pid, script).start()
    clients = []
    for stage, port, source in (
        ("STAGE 1", PORTS[1], "127.0.0.3"),
        ("STAGE 2", PORTS[0], "127.0.0.2"),
    ):
        led.wait_for(stage)
        client = threading.Thread(target=traffic.request, args=(port, source, 15), daemon=True)
        client.start()
        clients.append(client)
    led.wait_for("STAGE 4")
    output = led.finish()
    for client in clients:
        client.join(20)
    return output


def race(variant: build.Variant) -> Callable[[Lab, str], Crashed]:
    """The requeue race by its natural interleaving; gdb only says which thread runs."""

    def make(lab: Lab, name: str) -> Crashed:
        executable, built = lab.installed(variant)
        folder = work_folder(name, None)
        script = lab.folder / "scripts" / f"{name}.gdb"
        script.parent.mkdir(parents=True, exist_ok=True)
        with HAProxy(executable, config_text(extra=tracking()), folder) as running:
            target = gdb.Target(built.executable, source=built.source)
            output = _scheduled(running, target, script)
            script.with_suffix(".log").write_text(output, encoding="utf-8")
            returncode = running.wait_end(10)
        return collect(running, lab.cores(name), returncode)

    return make


def forced(caller: str, suite: packages.Suite | None = None) -> Callable[[Lab, str], Crashed]:
    """A packaged HAProxy; gdb clears the task's date when ``caller`` queues it."""

    def make(lab: Lab, name: str) -> Crashed:
        root = lab.root(suite) if suite else None
        executable = root / "usr/sbin/haproxy" if root else PACKAGED
        script = lab.folder / "scripts" / f"{name}.gdb"
        script.parent.mkdir(parents=True, exist_ok=True)
        size = gdb.function_size(executable, caller)
        script.write_text(FORCE.format(caller=caller, size=size, offset=EXPIRE_OFFSET), encoding="utf-8")
        config = config_text(extra=tracking("500ms"))
        with HAProxy(PACKAGED, config, work_folder(name, root), sysroot=root) as running:
            led = gdb.Script(gdb.Target(executable, root), running.pid, script).start()
            led.wait_for("ARMED")
            for _ in range(15):  # the call comes only when the table is empty again
                traffic.request(PORTS[0], "127.0.0.2")
                if running.wait_end(0.8) is not None:
                    break
            script.with_suffix(".log").write_text(led.finish(20), encoding="utf-8")
            returncode = running.wait_end(5)
        return collect(running, lab.cores(name), returncode)

    return make


def sharding(lab: Lab, name: str) -> Crashed:
    """Threads that wait for a table's update lock that nobody will give back."""
    executable, built = lab.installed(build.SHARDING_296)
    extra = PEERS.format(ports=PEER_PORTS) + "\n" + tracking("5m", " peers cluster")
    with HAProxy(executable, config_text(extra=extra), work_folder(name, None)) as running:
        traffic.load(PORTS[0], 20)
        traffic.load(PORTS[1], 20)
        clients = [threading.Thread(target=traffic.load, args=(port, 300, 0.01, 10), daemon=True) for port in PORTS]
        for client in clients:
            client.start()
        gdb.batch(
            gdb.Target(built.executable),
            [f"set variable stktables_list->updt_lock = {LOCKED:#x}", "detach"],
            pid=running.pid,
        )
        returncode = running.wait_end(20)
        for client in clients:
            client.join(20)
    return collect(running, lab.cores(name), returncode)


def segfault(lab: Lab, name: str) -> Crashed:
    """A worker that follows a broken pointer, under a master that reports its end."""
    extra = tracking("5m")
    folder = work_folder(name, None)
    config = config_text(extra=extra)
    with HAProxy(PACKAGED, config, folder, arguments=("-W",), open_files=512) as running:
        traffic.load(PORTS[0], 5)
        gdb.batch(
            gdb.Target(PACKAGED),
            ["set *(unsigned long *)&stktables_list = 0x58", "detach"],
            pid=running.worker(),
        )
        running.cli("expert-mode on; show table", 1.0)
        returncode = running.wait_end(10)
    return collect(running, lab.cores(name), returncode)


def healthy(lab: Lab, name: str) -> Crashed:
    """A process that works well; gdb writes its core, then it is stopped."""
    with HAProxy(PACKAGED, config_text(extra=tracking("5m")), work_folder(name, None)) as running:
        answered = traffic.load(PORTS[0], 10) + traffic.load(PORTS[1], 10)
        core = running.folder / "core.gcore"
        gdb.batch(gdb.Target(PACKAGED), [f"generate-core-file {core}", "detach"], pid=running.pid)
        if answered != 20 or traffic.load(PORTS[0], 1) != 1:
            raise LabError("the healthy process did not answer")
    return collect(running, lab.cores(name), None)


def from_outside(lab: Lab, name: str) -> Crashed:
    """A worker that another process kills with SIGSEGV, under a master that reports it."""
    folder = work_folder(name, None)
    config = config_text(extra=tracking("5m"))
    with HAProxy(PACKAGED, config, folder, arguments=("-W",), open_files=512) as running:
        traffic.load(PORTS[0], 5)
        os.kill(running.worker(), signal.SIGSEGV)
        returncode = running.wait_end(10)
    return collect(running, lab.cores(name), returncode)


def foreign(lab: Lab, name: str) -> Crashed:
    """A small C program that is not HAProxy."""
    source = Path(__file__).parent.parent / name / "foreign.c"
    folder = work_folder(name, None)
    shutil.copyfile(source, folder / "foreign.c")
    subprocess.run(
        ["gcc", "-g", "-O1", "-pthread", "-o", "foreign", "foreign.c"],
        cwd=folder,
        check=True,
        timeout=60,
    )
    built = lab.folder / "builds" / name
    built.mkdir(parents=True, exist_ok=True)
    shutil.copy2(folder / "foreign", built / "foreign")
    done = _plain(folder)
    directory = lab.cores(name)
    directory.mkdir(parents=True, exist_ok=True)
    found = sorted(folder.glob("core*"))
    if found:
        move_sparse(found[0], directory / "core")
    shutil.move(folder / LOG, directory / LOG)
    shutil.rmtree(folder)
    core = directory / "core" if found else None
    return Crashed(core, directory / LOG, source, done.pid, done.returncode)


def _plain(folder: Path) -> subprocess.Popen[bytes]:
    """Run ``./foreign`` to its end with cores allowed."""
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", "ulimit -c unlimited; exec ./foreign"],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    process.wait(30)
    return process


ABORT, ILL, SEGV = signal.SIGABRT, signal.SIGILL, signal.SIGSEGV


def truncated(whole: str, portion: float) -> Callable[[Lab, str], Crashed]:
    """The first ``portion`` of another sample's core, as a collector with a limit leaves it."""

    def make_truncated(lab: Lab, name: str) -> Crashed:
        directory = lab.cores(whole)
        if not (directory / "core").is_file():
            make(whole, lab)
        folder = lab.cores(name)
        folder.mkdir(parents=True, exist_ok=True)
        data = (directory / "core").read_bytes()
        (folder / "core").write_bytes(data[: int(len(data) * portion)])
        for file in (LOG, "haproxy.cfg"):
            shutil.copyfile(directory / file, folder / file)
        return Crashed(folder / "core", folder / LOG, folder / "haproxy.cfg", 0, None)

    return make_truncated


RECIPES: dict[str, Recipe] = {
    "bug-on-2.6.12": Recipe(_cli("debug dev bug"), (SEGV,)),
    "requeue-race-2.9.6": Recipe(race(build.RACE_296), (ILL,)),
    "requeue-fixed-3.0.11": Recipe(forced("stktable_requeue_exp", packages.TRIXIE), (ILL,)),
    "sharding-with-peers-2.9.6": Recipe(sharding, (ABORT,)),
    "truncated-2.9.6": Recipe(truncated("sharding-with-peers-2.9.6", 0.97), ()),
    "watchdog-loop-3.0.11": Recipe(_cli("debug dev loop 6000", packages.TRIXIE), (ABORT,)),
    "segfault-2.6.12": Recipe(segfault, (-139,)),
    "bug-on-3.4.7": Recipe(_cli("debug dev bug", packages.EXPERIMENTAL), (ILL,), limit=1 << 20),
    "panic-3.4.7": Recipe(_cli("debug dev panic", packages.EXPERIMENTAL), (ABORT,), False),
    "healthy-2.6.12": Recipe(healthy, ()),
    "signal-from-outside-2.6.12": Recipe(from_outside, (-139,)),
    "requeue-forced-2.6.12": Recipe(forced("__stktable_store"), (SEGV,)),
    "foreign": Recipe(foreign, (ABORT,)),
    "requeue-race-3.0.11": Recipe(race(build.RACE_3011), (ILL,)),
}


def make(name: str, lab: Lab) -> Crashed:
    """Make a sample again: raw evidence to the lab, what is kept to the output folder."""
    recipe = RECIPES[name]
    started = time.monotonic()
    shutil.rmtree(lab.cores(name), ignore_errors=True)
    left = recipe.make(lab, name)
    expected = tuple(-number for number in recipe.signals)
    if expected and left.returncode not in expected:
        raise LabError(f"{name}: it ended with {left.returncode}, not {expected}; see {left.log}")
    if left.core is None and recipe.keep_core:
        raise LabError(f"{name}: no core; is /proc/sys/kernel/core_pattern a plain name?")
    keep(name, left, lab)
    print(f"{name}: done in {time.monotonic() - started:.1f} s")
    return left


def keep(name: str, left: Crashed, lab: Lab) -> None:
    """Copy what belongs to the sample to the output folder."""
    recipe = RECIPES[name]
    folder = lab.output / name
    folder.mkdir(parents=True, exist_ok=True)
    private = machine.private(lab.folder, Path(__file__).resolve().parents[2])
    for path in (left.log, left.config):
        machine.redact(path)
        machine.check(path, private)
        if path.parent != folder:
            shutil.copyfile(path, folder / path.name)
    if left.core is not None and recipe.keep_core:
        machine.redact(left.core)
        machine.check(left.core, private)
        size = pack(left.core, folder / "core.zst")
        if size > recipe.limit:
            (folder / "core.zst").unlink()
            print(f"{name}: core of {size} bytes not kept (more than {recipe.limit})")
