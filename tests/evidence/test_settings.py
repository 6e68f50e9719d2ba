"""The configuration as the core tells it agrees with the file that the process read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from forensics.api import Options, gather
from forensics.evidence.agreement import contradictions
from forensics.evidence.fact import Crash
from forensics.symbols.find import Places
from samples.lab.builds import runnable
from samples.lab.haproxy import HAProxy, work_folder
from samples.lab.living import living, write_core

LAB = Path(__file__).parents[2] / ".lab"
BUILDS = ("haproxy-2.2", "haproxy-2.6", "haproxy-3.0", "haproxy-3.0-lto")

pytestmark = [
    pytest.mark.xdist_group("haproxy"),
    pytest.mark.skipif(not shutil.which("gdb"), reason="no gdb"),
]

CONFIG = """\
global
    nbthread 3
    maxconn 77
    tune.bufsize 8192
    tune.maxaccept 11
    tune.idletimer 500
    tune.http.cookielen 100
    localpeer here
    set-dumpable
    stats socket unix@cli level admin
defaults common
    mode http
    timeout client 5s
    timeout connect 2s
    timeout server 5s
peers cluster
    peer here 127.0.0.1:21024
    peer there 127.0.0.1:21025
    peer other 127.0.0.1:21026
frontend web
    bind unix@web
    http-request track-sc0 src table st
    default_backend app
backend app
    server s 127.0.0.1:1
backend st
    stick-table type ip size 1m expire 30s peers cluster store http_req_rate(10s)
"""

#: What both witnesses tell. The core's `config.tune` has every value in force, the file's those that it sets.
COMMON = (
    "config.threads", "config.maxconn", "config.peers", "config.remote_peers", "config.proxies", "config.set_dumpable",
    "peers.in_use",
)  # fmt: skip


def values(crash: Crash, name: str, path: Path) -> list[object]:
    return [one.value for one in crash.all(name) if one.source.input == str(path)]


@pytest.mark.parametrize("name", BUILDS)
def test_core_and_file_say_the_same(name: str, tmp_path: Path) -> None:
    subject = runnable(LAB, name)
    if not subject.executable.is_file():
        pytest.skip(f"the lab has no {name}: python -m samples.lab.builds {name}")
    core, file = tmp_path / "core", tmp_path / "haproxy.cfg"
    file.write_text(CONFIG)
    with living(subject, CONFIG, f"settings-{name}") as process:
        process.take(core)
    _taken, _witness, crash = gather([str(core), str(file)], Options(Places(executable=str(subject.executable))))
    for fact in COMMON:
        of_core, of_file = values(crash, fact, core), values(crash, fact, file)
        assert of_core == of_file, fact
        assert len(of_core) == 1, fact
    (set_in_file,), (in_force,) = values(crash, "config.tune", file), values(crash, "config.tune", core)
    assert isinstance(set_in_file, tuple) and isinstance(in_force, tuple)
    assert set(set_in_file) <= set(in_force)
    assert values(crash, "config.master_worker", core) == [False]
    assert values(crash, "config.lua", file) == [False]
    assert contradictions(crash) == ()


def test_a_worker_knows_that_it_has_a_master(tmp_path: Path) -> None:
    """The mode is the command line's or the file's; the worker's core tells of both."""
    subject = runnable(LAB, "haproxy-2.6")
    if not subject.executable.is_file():
        pytest.skip("the lab has no haproxy-2.6: python -m samples.lab.builds haproxy-2.6")
    with HAProxy(
        subject.executable, CONFIG, work_folder("settings-worker", None), arguments=("-W",), open_files=256
    ) as run:
        core = write_core(run.worker(), tmp_path / "core")
    _taken, _witness, crash = gather([str(core)], Options(Places(executable=str(subject.executable))))
    assert values(crash, "config.master_worker", core) == [True]


def test_another_configuration_contradicts_the_core(tmp_path: Path) -> None:
    subject = runnable(LAB, "haproxy-3.0")
    if not subject.executable.is_file():
        pytest.skip("the lab has no haproxy-3.0: python -m samples.lab.builds haproxy-3.0")
    core, file = tmp_path / "core", tmp_path / "haproxy.cfg"
    file.write_text(CONFIG.replace("nbthread 3", "nbthread 8"))
    with living(subject, CONFIG, "settings-other") as process:
        process.take(core)
    _taken, _witness, crash = gather([str(core), str(file)], Options(Places(executable=str(subject.executable))))
    (found,) = contradictions(crash)
    assert (found.subject, found.first.value, found.second.value) == ("nbthread", 3, 8)


def test_of_a_stripped_package_it_is_told_with_less_trust() -> None:
    """Layouts of its release are known, but not those of its very build; what they tell is right."""
    sample = Path(__file__).parents[2] / "samples/watchdog-loop-3.0.11"
    packs = (str(sample.parent / "symbols"),)
    _taken, _witness, crash = gather(
        [str(sample / "core.zst"), str(sample / "haproxy.cfg")], Options(Places(packs=packs))
    )
    for name in ("config.threads", "config.maxconn", "config.proxies"):
        of_core, of_file = crash.all(name)
        assert (of_core.trust, of_core.value) == ("assumed", of_file.value), name
    assert not [gap for gap in crash.gaps if gap.subject.startswith("config.")]
