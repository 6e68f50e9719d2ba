"""The cores in crash reports of apport."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from forensics.api import Options, gather, triage
from forensics.errors import InputError
from forensics.intake import parts_of_abrt, take
from forensics.memory.apport import field_of, has_core
from forensics.memory.open import open_bytes
from forensics.memory.streams import damage_errors, open_stream
from samples import golden
from tests.builders import apport

SEGFAULT = golden.SAMPLES / "segfault-2.6.12"


@pytest.fixture(scope="module")
def core() -> bytes:
    """A real core of 2.6.12."""
    packed = (SEGFAULT / "core.zst").read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(packed).read()


def test_the_core_of_a_report_is_read_as_any_core(core: bytes, tmp_path: Path) -> None:
    report = apport.write_report(tmp_path / "_usr_sbin_haproxy.0.crash", core)
    assert has_core(str(report))
    assert take(str(report)).kind == "apport"
    opened = open_bytes(str(report))
    assert opened.size == len(core)
    assert all(opened.read(at, 4096) == core[at : at + 4096] for at in range(0, len(core), 1 << 20))


def test_a_report_with_a_core_is_one_incident(core: bytes, tmp_path: Path) -> None:
    """Its text says what the core says, so that nothing contradicts."""
    report = apport.write_report(tmp_path / "_usr_sbin_haproxy.0.crash", core, footer=apport.FOOTER.split("Package")[0])
    alone, packed = triage([str(report)], Options()), triage([str(SEGFAULT / "core.zst")], Options())
    assert (alone.crash.kind, alone.crash.signal) == (packed.crash.kind, packed.crash.signal)
    assert [one.kind for one in alone.inputs] == ["apport"]
    assert alone.process.version == packed.process.version


def test_a_report_without_a_core_still_has_its_stack(tmp_path: Path) -> None:
    """Bug trackers take the core away."""
    report = apport.write_report(tmp_path / "haproxy.crash", None, stack=apport.STACK)
    assert not has_core(str(report))
    _taken, witness, crash = gather([str(report)], Options())
    assert witness is None
    said = {fact.name: fact.value for fact in crash.facts}
    assert (said["crash.signal"], said["crash.kind"]) == ("SIGSEGV", "segfault")
    assert said["stack"] == ("stream_free", "process_stream")
    assert said["process.version"] == "2.8.5-1ubuntu3.2"


def test_a_report_of_another_program_is_refused(tmp_path: Path) -> None:
    report = apport.write_report(tmp_path / "x.crash", b"", program="/usr/bin/nginx")
    with pytest.raises(InputError, match="nginx"):
        take(str(report))


def test_zstd_within_the_base64_is_read_too(tmp_path: Path) -> None:
    """Newer releases of apport pack so."""
    packed = zstandard.ZstdCompressor().compress(b"core" * 1000)
    lines = b"".join(b" " + base64.b64encode(packed[at : at + 9]) + b"\n" for at in range(0, len(packed), 9))
    path = tmp_path / "haproxy.crash"
    path.write_bytes(b"ProblemType: Crash\nCoreDump: base64\n" + lines + b"Signal: 11\n")
    stream, compression = open_stream(str(path))
    with stream:
        assert (stream.read(), compression) == (b"core" * 1000, "apport")


def test_a_cut_report_gives_what_is_there(core: bytes, tmp_path: Path) -> None:
    report = apport.write_report(tmp_path / "haproxy.crash", core)
    data = report.read_bytes()
    report.write_bytes(data[: len(data) // 2])
    opened = open_bytes(str(report))
    assert 0 < opened.size < len(core)
    assert core.startswith(opened.read(0, 1 << 16))


@given(st.binary(max_size=300))
def test_damaged_reports_raise_what_damage_raises(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.crash"
    path.write_bytes(b"ProblemType: Crash\nCoreDump: base64\n H4sIAAAAAAAC/w==\n " + junk)
    stream, compression = open_stream(str(path))
    with stream:
        try:
            assert len(stream.read(1 << 16)) <= 1 << 16
        except damage_errors(compression):
            pass
    assert field_of(str(path), "Signal") == "" or b"Signal" in junk


def abrt(folder: Path, **elements: str) -> Path:
    """A problem directory of ABRT."""
    folder.mkdir()
    for name, value in {"type": "CCpp", "analyzer": "abrt-ccpp", **elements}.items():
        (folder / name).write_text(value, encoding="utf-8")
    return folder


FRAMES = [
    {"address": 0x55D000001234, "build_id": "ab", "build_id_offset": 4660, "function_name": "stream_free",
     "file_name": "/usr/sbin/haproxy"},
    {"address": 0x55D000002234, "file_name": "/usr/sbin/haproxy"},
    {"address": 0x55D000003234, "function_name": "process_stream", "file_name": "/usr/sbin/haproxy"},
]  # fmt: skip


def test_a_directory_of_abrt_is_one_incident(tmp_path: Path) -> None:
    stacks = {"signal": 11, "stacktrace": [{"frames": FRAMES[1:]}, {"crash_thread": True, "frames": FRAMES}]}
    folder = abrt(
        tmp_path / "ccpp-1", reason="haproxy killed by SIGSEGV\n", core_backtrace=json.dumps(stacks, indent=4)
    )
    taken, _witness, crash = gather([str(folder)], Options())
    assert [Path(one.path).name for one in taken] == ["core_backtrace", "reason"]
    said = {fact.name: fact.value for fact in reversed(crash.facts)}
    assert (said["crash.signal"], said["crash.kind"]) == ("SIGSEGV", "segfault")
    assert said["stack"] == ("stream_free", "?", "process_stream")


def test_the_core_of_abrt_comes_first(core: bytes, tmp_path: Path) -> None:
    folder = abrt(tmp_path / "ccpp-2", reason="haproxy killed by SIGSEGV\n", os_release="Rocky Linux 9")
    (folder / "coredump").write_bytes(core)
    report = triage([str(folder)], Options())
    assert [one.kind for one in report.inputs] == ["core", "log"]
    assert report.process.version.startswith("2.6.12")
    assert report.crash.signal == "SIGSEGV"


def test_another_directory_is_none_of_abrt(tmp_path: Path) -> None:
    (tmp_path / "reason").write_text("because", encoding="utf-8")
    assert parts_of_abrt(str(tmp_path)) == ()
    assert parts_of_abrt(str(tmp_path / "missing")) == ()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"stacktrace": 1}', "[" * 100_000, '{"stacktrace": [1, {"frames": [3]}]}']
)
def test_what_is_no_core_backtrace_stays_as_it_is(text: str, tmp_path: Path) -> None:
    folder = abrt(tmp_path / "ccpp-3", reason="haproxy killed by SIGSEGV\n", core_backtrace=text)
    _taken, _witness, crash = gather([str(folder)], Options())
    assert crash.died


def test_memory_outranks_the_text_of_a_report(core: bytes, tmp_path: Path) -> None:
    report = apport.write_report(tmp_path / "haproxy.crash", core)
    _taken, _witness, crash = gather([str(report)], Options())
    versions = [fact.value for fact in crash.all("process.version")]
    assert str(versions[0]).startswith("2.6.12")
    assert versions[-1] == "2.8.5-1ubuntu3.2"


def test_the_text_of_a_report_counts_though_its_core_is_junk(tmp_path: Path) -> None:
    report = apport.write_report(tmp_path / "haproxy.crash", b"no core" * 100, stack=apport.STACK)
    _taken, witness, crash = gather([str(report)], Options())
    assert witness is None
    assert [fact.value for fact in crash.all("stack")] == [("stream_free", "process_stream")]
    assert any(gap.subject.startswith("core ") for gap in crash.gaps)
