"""What is kept of a build: used when it fits, ignored when it does not, never an error."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.elf.module import Module
from forensics.symbols.find import ModuleFiles
from forensics.symbols.memo import FORMAT, BuildRecords, cache_directory
from forensics.symbols.module import ModuleSymbols
from forensics.unwind.tables import ModuleRows

ID = "ab" * 20


def kept(directory: Path, identity: str = "files", build_id: str = ID) -> BuildRecords:
    """The records of a build in ``directory``."""
    return BuildRecords(build_id, identity, str(directory))


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    """By kind and address."""
    records = kept(tmp_path)
    records.records("sites")["10"] = ["main", 16, []]
    records.save()
    assert kept(tmp_path).records("sites") == {"10": ["main", 16, []]}


def test_records_of_other_files_are_not_used(tmp_path: Path) -> None:
    """Symbols may have been installed since."""
    records = kept(tmp_path)
    records.records("sites")["10"] = ["", 0, []]
    records.save()
    assert kept(tmp_path, "other files").records("sites") == {}
    assert kept(tmp_path, build_id="cd" * 20).records("sites") == {}


def test_a_module_without_build_id_is_not_kept(tmp_path: Path) -> None:
    """Nothing says that it is the same next time."""
    records = kept(tmp_path, build_id="")
    records.records("sites")["10"] = 1
    records.save()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HAPROXY_FORENSICS_CACHE= is the way to switch it off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    records = BuildRecords(ID, "files")
    records.records("sites")["10"] = 1
    records.save()
    assert list(tmp_path.iterdir()) == []


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, then XDG's, then the home directory."""
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_directory() == "/a"
    monkeypatch.delenv("HAPROXY_FORENSICS_CACHE")
    assert cache_directory() == "/b/haproxy-forensics"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache_directory() == "/c/.cache/haproxy-forensics"


HEAD = {"format": FORMAT, "build_id": ID, "identity": "files"}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"{}", b"[" * 100_000,
        json.dumps({**HEAD, "records": []}).encode(),
        json.dumps({**HEAD, "records": {"sites": 5}}).encode(),
        json.dumps({**HEAD, "format": FORMAT + 1, "records": {"sites": {"10": 1}}}).encode(),
        json.dumps({**HEAD, "build_id": "other", "records": {"sites": {"10": 1}}}).encode(),
    ],
)  # fmt: skip
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    """And is written anew."""
    path = Path(kept(tmp_path).path)
    path.parent.mkdir()
    path.write_bytes(content)
    records = kept(tmp_path)
    assert records.records("sites") == {}
    records.records("sites")["20"] = 2
    records.save()
    assert kept(tmp_path).records("sites") == {"20": 2}


def symbols_with(own_cache: Path, records: object) -> ModuleSymbols:
    """The symbols of a module of which no file is there, with a cache of this content."""
    module = Module("/nonexistent", 0, 1 << 20, 0, ID, True, False)
    path = own_cache / "builds" / f"{ID}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, "build_id": ID, "identity": "", "records": records}))
    return ModuleSymbols(ModuleFiles(module))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=json_values)
def test_records_of_another_shape_are_not_used(own_cache: Path, record: object) -> None:
    """A cache that an older or newer version wrote by mistake; only the file's head was right."""
    symbols = symbols_with(own_cache, {"sites": {"10": record}, "rows": {"10": record}, "sentences": {"10": record}})
    symbols.site(0x10)
    symbols.sentence(0x10, 0)
    ModuleRows(symbols).row(0x10)


def test_a_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Read-only homes, homes that are files."""
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", Path("/proc/nonexistent"), Path("/dev/null/x")):
        records = kept(directory)
        records.records("sites")["10"] = 1
        records.save()


def test_nothing_is_written_when_nothing_was_added(tmp_path: Path) -> None:
    """A warm triage writes nothing."""
    records = kept(tmp_path)
    records.records("sites")["10"] = 1
    records.save()
    before = os.stat(records.path).st_mtime_ns
    again = kept(tmp_path)
    again.records("sites")
    again.save()
    assert os.stat(records.path).st_mtime_ns == before
    assert [path.name for path in Path(records.path).parent.iterdir()] == [f"{ID}.json"]


def _write_often(directory: str, seed: int) -> None:
    for number in range(40):
        records = BuildRecords(ID, "files", directory)
        records.records("sites")[f"{seed:x}{number:x}"] = ["name" * 50, number, []]
        records.save()


def test_two_processes_that_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    """The last one wins; nobody reads half a file."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(str(tmp_path), seed)) for seed in (1, 2, 3)]
    for writer in writers:
        writer.start()
    path = Path(kept(tmp_path).path)
    seen = 0
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen = max(seen, len(json.loads(path.read_bytes())["records"]["sites"]))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert kept(tmp_path).records("sites")
    assert seen or path.exists()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
