"""Servers that lie, stall or never end: bounded, refused, said; and nothing half stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from forensics.symbols.debuginfod.cache import artifact_path, cache_folder
from forensics.symbols.debuginfod.download import Artifact
from forensics.symbols.debuginfod.fetch import Client
from forensics.symbols.debuginfod.settings import Settings
from tests.builders.elf import Image
from tests.symbols.debuginfod import servers
from tests.symbols.debuginfod.servers import Behaviour, Misbehaving, answer

ID, OTHER = bytes(range(20)), bytes(range(1, 21))
WANTED = Artifact(ID.hex(), "debuginfo")
IMAGE = Image(build_id=ID).build()
DEADLINE = 1.0


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def client(*urls: str, deadline: float = DEADLINE, max_size: int = 1 << 20) -> Client:
    return Client(Settings(urls, deadline, max_size))


def cached() -> list[str]:
    """The files in the cache, those that are not complete included."""
    return sorted(str(path.relative_to(cache_folder())) for path in Path(cache_folder()).rglob("*") if path.is_file())


def said_of(behaviour: Behaviour, **how: float) -> str:
    """What is said of a server that gives nothing; neither time nor space is wasted on it."""
    with Misbehaving(behaviour) as server:
        one = client(server.url, **how)  # type: ignore[arg-type]  # numbers
        begin = time.monotonic()
        assert one.fetch([WANTED]) == []
        assert time.monotonic() - begin < DEADLINE + 1
        assert cached() == []
        (said,) = one.said[WANTED]
        return said.replace(server.url, "SERVER")


def test_a_right_file_is_kept_where_every_client_looks() -> None:
    with Misbehaving(answer(IMAGE)) as server:
        one = client(server.url)
        assert one.fetch([WANTED]) == [WANTED]
        assert server.asked == [f"/buildid/{ID.hex()}/debuginfo"]
        assert cached() == [f"{ID.hex()}/debuginfo"]
        path = artifact_path(ID.hex(), "debuginfo")
        assert Path(path).read_bytes() == IMAGE
        assert os.stat(path).st_mode & 0o777 == 0o400
        assert one.said[WANTED] == [f"debuginfo (debuginfod) {server.url}: fetched, build-id matches"]
        # Neither this run nor the next asks again.
        assert one.fetch([WANTED]) == client(server.url).fetch([WANTED]) == []
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (answer(Image(build_id=OTHER).build()), f"refused: another build: its build-id is {OTHER.hex()}"),
        (answer(Image(build_id=b"").build()), "refused: another build: its build-id is none"),
        (answer(b"<html>it works</html>"), "refused: it is no ELF file"),
        (answer(b""), "refused: it is no ELF file"),
        (answer(b"\x7fELF"), "refused: its ELF header is damaged"),
        (answer(IMAGE[:-100]), "refused: the file is cut"),
        (answer(IMAGE[:0x900]), "refused: the file is cut"),
        (answer(IMAGE, length=len(IMAGE) - 100), "refused: the file is cut"),
        (answer(IMAGE, length=len(IMAGE) + 100), f"it promised {len(IMAGE) + 100} bytes and sent {len(IMAGE)}"),
        (answer(IMAGE, length=1 << 40), f"it has {1 << 40} bytes, more than DEBUGINFOD_MAXSIZE or the limit of {1 << 20}"),
        (answer(b"", "500 Oh no"), "it answers 500 Oh no"),
        (answer(b"", "206 Partial"), "it answers 206 Partial"),
        (servers.endless, f"it sends more than {1 << 20} bytes"),
        (servers.loop, "more than 5 redirections"),
        (servers.redirecting_to("file:///etc/passwd"), "it redirects to `file:///etc/passwd`"),
        (answer(b"", "302 Found"), "it redirects to ``"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_said(behaviour: Behaviour, said: str) -> None:
    assert said_of(behaviour) == f"debuginfo (debuginfod) SERVER: {said}"


@pytest.mark.parametrize("behaviour", [servers.dripping_body, servers.dripping_head, servers.silent])
def test_a_slow_server_has_the_time_of_the_whole_run_and_no_more(behaviour: Behaviour) -> None:
    assert said_of(behaviour) in (
        "debuginfo (debuginfod) no answer within the time for all requests",
        "debuginfo (debuginfod) SERVER: no answer in time",
    )


@pytest.mark.parametrize("behaviour", [servers.reset, servers.garbage])
def test_a_broken_connection_is_said(behaviour: Behaviour) -> None:
    assert said_of(behaviour).startswith("debuginfo (debuginfod) SERVER: ")


def test_nobody_there_is_said() -> None:
    one = client(f"http://127.0.0.1:{servers.free_port()}")
    assert one.fetch([WANTED]) == []
    assert "ConnectionRefusedError" in one.said[WANTED][0]
    assert cached() == []


def test_a_miss_is_remembered_only_if_all_servers_say_so() -> None:
    missing = answer(b"", "404 Not Found")
    with Misbehaving(missing) as first, Misbehaving(servers.reset) as second:
        assert client(first.url, second.url).fetch([WANTED]) == []
        assert cached() == []
        assert client(first.url).fetch([WANTED]) == []
        assert len(first.asked) == 2
        path = Path(artifact_path(ID.hex(), "debuginfo"))
        assert (path.stat().st_size, path.stat().st_mode & 0o777) == (0, 0)
        # Believed, by every run.
        again = client(first.url)
        assert again.fetch([WANTED]) == []
        assert again.said[WANTED] == ["debuginfo (debuginfod): no server had it lately"]
        assert len(first.asked) == 2
        # Until it is old.
        os.utime(path, (time.time() - 700, time.time() - 700))
        assert client(first.url).fetch([WANTED]) == []
        assert len(first.asked) == 3
        # Or the user says that misses are not believed.
        (Path(cache_folder()) / "cache_miss_s").write_text("0\n")
        os.utime(path, (time.time() - 2, time.time() - 2))
        assert client(first.url).fetch([WANTED]) == []
        assert len(first.asked) == 4


def test_the_first_right_answer_wins_whatever_the_others_do() -> None:
    with (
        Misbehaving(servers.silent) as slow,
        Misbehaving(answer(b"junk")) as wrong,
        Misbehaving(answer(IMAGE)) as right,
    ):
        begin = time.monotonic()
        assert client(slow.url, wrong.url, right.url, deadline=20).fetch([WANTED]) == [WANTED]
        assert time.monotonic() - begin < 5
        assert cached() == [f"{ID.hex()}/debuginfo"]


def test_many_files_are_fetched_at_once() -> None:
    """Each takes half a second; forty of them one after the other would take twenty."""
    images = {bytes([number]).hex() * 20: Image(build_id=bytes([number]) * 20).build() for number in range(40)}

    def slow(peer: socket.socket, path: str) -> None:
        time.sleep(0.5)
        answer(images[path.split("/")[2]])(peer, path)

    with Misbehaving(slow) as server:
        begin = time.monotonic()
        wanted = [Artifact(build_id, "executable") for build_id in images]
        assert sorted(client(server.url, deadline=30).fetch(wanted), key=str) == sorted(wanted, key=str)
        assert time.monotonic() - begin < 10
        assert len(cached()) == 40


def test_a_silent_server_does_not_keep_a_quick_one_from_many_files() -> None:
    images = {bytes([number]).hex() * 20: Image(build_id=bytes([number]) * 20).build() for number in range(40)}

    def quick(peer: socket.socket, path: str) -> None:
        answer(images[path.split("/")[2]])(peer, path)

    with Misbehaving(servers.silent) as slow, Misbehaving(quick) as server:
        begin = time.monotonic()
        wanted = [Artifact(build_id, "executable") for build_id in images]
        assert len(client(slow.url, server.url, deadline=30).fetch(wanted)) == 40
        assert time.monotonic() - begin < 10


def test_the_deadline_counts_all_requests_of_a_run() -> None:
    with Misbehaving(servers.silent) as server:
        one = client(server.url)
        assert one.fetch([WANTED]) == []
        begin = time.monotonic()
        later = Artifact(OTHER.hex(), "debuginfo")
        assert one.fetch([later]) == []
        assert time.monotonic() - begin < 0.1
        assert one.said[later] == ["debuginfo (debuginfod): not asked, 1 s for all requests are over"]


def test_a_cache_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "file"))
    with Misbehaving(answer(IMAGE)) as server:
        one = client(server.url)
        assert one.fetch([WANTED]) == []
        assert "Error" in one.said[WANTED][0]


def test_names_and_passwords_in_urls_are_not_said() -> None:
    with Misbehaving(answer(b"")) as server:
        one = client(server.url.replace("//", "//user:secret@"))
        one.fetch([WANTED])
        assert server.url in one.said[WANTED][0]
        assert "secret" not in one.said[WANTED][0]


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Misbehaving(answer(IMAGE)) as proxy:
        monkeypatch.delenv("no_proxy")
        monkeypatch.setenv("http_proxy", proxy.url)
        assert client("http://debuginfod.invalid/sub/").fetch([WANTED]) == [WANTED]
        assert proxy.asked == [f"http://debuginfod.invalid/sub/buildid/{ID.hex()}/debuginfo"]


SCRIPT = """
import sys
from forensics.symbols.debuginfod.download import Artifact
from forensics.symbols.debuginfod.fetch import Client
from forensics.symbols.debuginfod.settings import Settings
print("asking", flush=True)
Client(Settings((sys.argv[1],), 60, 1 << 30)).fetch([Artifact(sys.argv[2], "debuginfo")])
"""


@pytest.mark.parametrize("behaviour", [servers.dripping_body, servers.silent])
def test_control_c_ends_the_program_at_once_and_leaves_nothing_half(behaviour: Behaviour) -> None:
    arrived = threading.Event()

    def behave(peer: socket.socket, path: str) -> None:
        arrived.set()
        behaviour(peer, path)

    with Misbehaving(behave) as server:
        asking = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, server.url, ID.hex()],
            cwd=Path(__file__).resolve().parents[3], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": "."},
        )  # fmt: skip
        assert arrived.wait(20)
        time.sleep(0.3)
        if behaviour is servers.dripping_body:
            assert len(cached()) == 1, "the half file that is to be removed"
        begin = time.monotonic()
        asking.send_signal(signal.SIGINT)
        _out, err = asking.communicate(timeout=20)
        assert time.monotonic() - begin < 2
        assert b"KeyboardInterrupt" in err
        assert cached() == []
