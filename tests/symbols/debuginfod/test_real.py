"""elfutils' own server on the loopback, and its client beside ours on one cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from forensics.api import Options, open_core, triage
from forensics.elf.image import ElfImage
from forensics.elf.module import Module
from forensics.memory.random_access import LocalFile
from forensics.symbols.debuginfod.cache import artifact_path, cache_folder, mark_miss
from forensics.symbols.debuginfod.download import Artifact
from forensics.symbols.debuginfod.fetch import Client, find_or_fetch
from forensics.symbols.debuginfod.settings import Settings
from forensics.symbols.files import ModuleFiles
from forensics.symbols.find import Places
from forensics.unwind.frame import ThreadStack
from tests.cli.running import run
from tests.oracles.programs import COMPILER, compile_c, core_of
from tests.symbols.debuginfod import servers

SOURCE = """
#include <signal.h>
static volatile int depth;
static __attribute__((noinline)) void innermost(void) { depth++; raise(SIGSEGV); depth++; }
static __attribute__((noinline)) void middle(void) { innermost(); depth++; }
int main(void) { middle(); depth++; return 0; }
"""
OWN = ("innermost", "middle", "main")
NOWHERE = "/nonexistent"

pytestmark = [
    pytest.mark.skipif(servers.DEBUGINFOD is None, reason="debuginfod is not installed (Debian: debuginfod)"),
    pytest.mark.skipif(servers.FIND is None, reason="debuginfod-find is not installed (Debian: debuginfod)"),
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
    pytest.mark.skipif(shutil.which("objcopy") is None, reason="objcopy is not installed (Debian: binutils)"),
]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that has a stripped program and its debug file, and a core of that program."""

    url: str
    build_id: str
    core: Path
    stripped: Path
    debug: Path

    @property
    def places(self) -> Places:
        """Nothing on the disk, and the server."""
        return Places(sysroot=NOWHERE, debuginfod_urls=(self.url,), debuginfod_deadline=20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    program = compile_c(folder, "program", SOURCE, "-g", "-O1", "-static")
    core = core_of(program, folder / "run")
    if core is None:
        pytest.skip("neither the kernel nor gdb writes a core here")
    build_id = ElfImage(LocalFile(str(program))).build_id
    assert isinstance(build_id, str)
    files = folder / "files"
    files.mkdir()
    stripped, debug = files / "program", files / "program.debug"
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True, timeout=60)
    subprocess.run(["objcopy", "--strip-all", program, stripped], check=True, timeout=60)
    program.unlink()
    with servers.debuginfod(files, folder, build_id) as url:
        yield Served(url, build_id, core, stripped, debug)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def named(stacks: tuple[ThreadStack, ...]) -> list[tuple[str, bool]]:
    """Our own functions in the first stack, and whether each has a line."""
    return [(frame.function, bool(frame.line)) for frame in stacks[0].frames if frame.function in OWN]


def unwound(core: Path, places: Places) -> tuple[list[tuple[str, bool]], ModuleFiles]:
    process, stacks = open_core(str(core), Options(places))
    return named(stacks), next(files for files in process.files if files.module.main)


def find(served: Served, kind: str, build_id: str = "") -> subprocess.CompletedProcess[str]:
    """elfutils' client."""
    assert servers.FIND
    return subprocess.run(
        [servers.FIND, kind, build_id or served.build_id], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"DEBUGINFOD_URLS": served.url},
    )  # fmt: skip


def test_a_core_alone_gives_its_backtrace_once_the_server_is_asked(served: Served) -> None:
    found, files = unwound(served.core, Places(sysroot=NOWHERE))
    assert (found, files.status) == ([], "missing")
    found, files = unwound(served.core, served.places)
    assert found == [(name, True) for name in OWN]
    executable, debug = (artifact_path(served.build_id, kind) for kind in ("executable", "debuginfo"))
    assert files.tried[2:] == [
        f"{executable} (debuginfod's cache): build-id matches",
        f"{debug} (debuginfod's cache, debug file): build-id matches",
        f"executable (debuginfod) {served.url}: fetched, build-id matches",
        f"debuginfo (debuginfod) {served.url}: fetched, build-id matches",
    ]
    assert Path(executable).read_bytes() == served.stripped.read_bytes()
    assert Path(debug).read_bytes() == served.debug.read_bytes()
    # From now on without any network.
    assert unwound(served.core, Places(sysroot=NOWHERE))[0] == [(name, True) for name in OWN]


def test_only_the_debug_file_is_fetched_where_the_program_is_at_hand(served: Served) -> None:
    places = Places(executable=str(served.stripped), debuginfod_urls=(served.url,))
    # The debug file that lies beside the program has no link to it.
    found, files = unwound(served.core, places)
    assert found == [(name, True) for name in OWN]
    assert os.listdir(os.path.join(cache_folder(), served.build_id)) == ["debuginfo"]
    assert files.image is not None
    assert files.image.path == str(served.stripped)


def test_the_program_asks_on_consent_only(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", served.url)
    command = ("backtrace", str(served.core), "--sysroot", NOWHERE)
    assert "innermost" not in run(capsys, *command).out
    assert not os.path.exists(cache_folder())
    ran = run(capsys, *command, "--debuginfod", "--debuginfod-timeout", "20")
    assert "innermost" in ran.out
    assert "program.c:4" in ran.out


def test_the_configuration_is_consent_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", served.url)
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "haproxy-forensics/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("debuginfod = true\ndebuginfod_timeout = 20\n")
    assert unwound(served.core, Places(sysroot=NOWHERE))[0] == [(name, True) for name in OWN]


def test_what_debuginfod_find_fetched_is_used_by_us(served: Served) -> None:
    for kind in ("executable", "debuginfo"):
        done = find(served, kind)
        assert done.stdout.strip() == artifact_path(served.build_id, kind), done.stderr
    found, files = unwound(served.core, Places(sysroot=NOWHERE))
    assert found == [(name, True) for name in OWN]
    assert "debuginfod's cache" in files.tried[-1]


def test_what_we_fetched_is_used_by_debuginfod_find(served: Served) -> None:
    wanted = Artifact(served.build_id, "debuginfo")
    assert Client(Settings((served.url,), 20, 1 << 30)).fetch([wanted]) == [wanted]
    assert servers.FIND
    # Nobody listens there: what it finds is in the cache.
    done = subprocess.run(
        [servers.FIND, "debuginfo", served.build_id], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"DEBUGINFOD_URLS": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert done.stdout.strip() == artifact_path(served.build_id, "debuginfo"), done.stderr


def test_a_miss_of_either_client_is_believed_by_the_other(served: Served) -> None:
    """The server has the file of the first; the mark alone makes the difference."""
    mark_miss(served.build_id, "debuginfo")
    done = find(served, "debuginfo")
    assert done.returncode != 0
    unknown = "ab" * 20
    assert find(served, "debuginfo", unknown).returncode != 0
    one = Client(Settings(("http://127.0.0.1:9",), 20, 1 << 30))
    assert one.fetch([Artifact(unknown, "debuginfo")]) == []
    assert one.said[Artifact(unknown, "debuginfo")] == ["debuginfo (debuginfod): no server had it lately"]


@pytest.mark.parametrize("old", [False, True])
def test_both_clients_choose_the_same_folder(
    served: Served, old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBUGINFOD_CACHE_PATH")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg").mkdir()
    if old:
        (tmp_path / ".debuginfod_client_cache").mkdir()
    done = find(served, "debuginfo")
    assert done.stdout.strip() == artifact_path(served.build_id, "debuginfo"), done.stderr


def test_what_dwz_shares_is_fetched_once_the_debug_file_names_it(served: Served, tmp_path: Path) -> None:
    """The server knows it by a build-id of its own."""
    if shutil.which("dwz") is None:
        pytest.skip("dwz is not installed (Debian: dwz)")
    files = tmp_path / "files"
    files.mkdir()
    program = compile_c(files, "program", SOURCE, "-g", "-O1")
    shutil.copy(program, files / "second")
    done = subprocess.run(["dwz", "-m", "common", "-M", "/gone/common", "program", "second"], cwd=files, check=False)
    if done.returncode or not (files / "common").exists():
        pytest.skip("dwz found nothing to share")
    image = ElfImage(LocalFile(str(program)))
    assert isinstance(image.build_id, str)
    module = Module("/gone/program", 0, 1 << 62, 0, image.build_id, True, False)
    (tmp_path / "work").mkdir()
    with servers.debuginfod(files, tmp_path / "work", image.build_id) as url:
        found = find_or_fetch(module, Places(sysroot=NOWHERE, debuginfod_urls=(url,), debuginfod_deadline=20))
    assert found.supplement is not None, found.tried
    assert found.supplement.source.read(0, 1 << 24) == (files / "common").read_bytes()
    assert found.tried[-1] == f"debuginfo (debuginfod) {url}: fetched, build-id matches"


def test_the_store_is_filled_from_a_server(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """All modules of a core at once."""
    ran = run(capsys, "symbols", "add", str(served.core), "--sysroot", NOWHERE, "--debuginfod-url", served.url)
    assert ran.out.startswith(served.build_id), ran.err
    shutil.rmtree(cache_folder())
    found, files = unwound(served.core, Places(sysroot=NOWHERE))
    assert found == [(name, True) for name in OWN], files.tried


def test_a_core_of_another_program_fetches_what_the_server_has_and_says_the_rest(served: Served) -> None:
    """triage refuses it all the same: it is none of HAProxy."""
    from forensics.errors import ForeignCore

    with pytest.raises(ForeignCore):
        triage([str(served.core)], Options(served.places))


def test_symbols_fetch_keeps_what_came_for_days_without_servers(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    by_core = run(capsys, "symbols", "fetch", str(served.core), "--sysroot", NOWHERE, "--debuginfod-url", served.url)
    assert served.build_id in by_core.out, by_core.err
    shutil.rmtree(cache_folder())
    found, files = unwound(served.core, Places(sysroot=NOWHERE))
    assert found == [(name, True) for name in OWN]
    assert "symbol store" in files.tried[-1]


def test_symbols_fetch_takes_a_build_id_and_says_what_no_server_has(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = "00" * 20
    ran = run(capsys, "symbols", "fetch", served.build_id, unknown, "--debuginfod-url", served.url)
    assert ran.status == 1
    assert served.build_id in ran.out
    assert f"no symbols of {unknown}" in ran.err
    assert "debuginfod" in ran.err
    assert served.build_id in run(capsys, "symbols", "list").out


def test_symbols_fetch_without_a_server_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    ran = run(capsys, "symbols", "fetch", "ab" * 20)
    assert ran.status == 2
    assert "DEBUGINFOD_URLS" in ran.err
