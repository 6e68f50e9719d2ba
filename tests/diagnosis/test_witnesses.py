"""The same crash has the same stable fingerprint, whoever tells it, and another crash has another one."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations

import pytest

from forensics.api import crash_of_text
from forensics.diagnosis.finding import Fingerprint
from forensics.diagnosis.fingerprint import fingerprint
from forensics.logs.core_backtrace import text_of as text_of_abrt
from forensics.names import UNNAMED
from samples import golden
from tests.diagnosis.witnesses import EXCEPTIONS, SAME, crashes, reference_of, text_of, witnesses

#: Cut in its stacks: core and log are two halves of what is known.
CUT = ("truncated-2.9.6",)
SAMPLES = [name for name in golden.names() if name not in ("foreign", "healthy-2.6.12", *CUT)]

#: Logs of samples that do not tell how it died: the master saw the signal, no more.
SILENT = ("segfault-2.6.12", "signal-from-outside-2.6.12")


@cache
def of_text(name: str, form: str) -> Fingerprint:
    return fingerprint(crash_of_text(text_of(name, form)))


@cache
def of_sample(name: str, *files: str) -> str:
    return str(golden.document(name, *files)["fingerprint"]["stable"])


@cache
def expected(name: str) -> str:
    """The fingerprint by the best witness."""
    return of_sample(name) if name in SAMPLES else of_text(name, reference_of(name)).stable


@pytest.mark.parametrize(("name", "form"), witnesses())
def test_every_text_of_a_crash_gives_its_fingerprint(name: str, form: str) -> None:
    """Those that cannot are listed with the reason, and must not be taken for another crash."""
    found = of_text(name, form).stable
    if (name, form) in EXCEPTIONS:
        assert found != expected(name), "no exception any more: take it from the list"
        return
    assert found == expected(name), of_text(name, form)


@pytest.mark.parametrize("name", SAMPLES)
def test_core_and_log_of_a_sample_give_its_fingerprint(name: str) -> None:
    for file in ("core.zst", "worker.log"):
        if golden.evidence(name, file) and not (file == "worker.log" and name in SILENT):
            assert of_sample(name, file) == of_sample(name)


def test_different_crashes_have_different_fingerprints() -> None:
    for one, other in combinations(sorted({*SAMPLES, *crashes()}), 2):
        alike = SAME.get(one, one) == SAME.get(other, other)
        assert (expected(one) == expected(other)) == alike, f"{one} and {other}"


def test_no_text_is_grouped_with_another_crash() -> None:
    """Exceptions included: what groups at all groups its own crash only."""
    owners: dict[str, set[str]] = {}
    for name, form in witnesses():
        stable = of_text(name, form).stable
        if not stable.startswith("unknown"):
            owners.setdefault(stable, set()).add(SAME.get(name, name))
    assert {stable: names for stable, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("name", ["requeue-race-2.9.6", "sharding-with-peers-2.9.6"])
def test_a_core_that_is_cut_is_grouped_by_its_log(name: str) -> None:
    """The stack of the crashed thread is lost; the log has it."""
    for cut in CUT:
        same = name == "sharding-with-peers-2.9.6"
        assert (of_sample(cut, "core.zst", "worker.log") == expected(name)) == same
        assert of_sample(cut, "core.zst").startswith("unknown")


def _frames(name: str) -> list[dict[str, object]]:
    thread = golden.document(name, "core.zst")["threads"][0]
    return [frame for frame in thread["frames"] if not frame.get("inlined") and not frame.get("tail_call")]


@pytest.mark.parametrize("name", ["requeue-race-2.9.6", "sharding-with-peers-2.9.6", "bug-on-3.4.7"])
def test_stacks_as_abrt_and_lldb_write_them_give_the_fingerprint_of_the_core(name: str) -> None:
    """Made of the core's frames in the shape of satyr's `core_backtrace` and of lldb's `bt`."""
    document, frames = golden.document(name, "core.zst"), _frames(name)
    signal = {"SIGILL": 4, "SIGABRT": 6}[document["crash"]["signal"]]
    told = [
        {"address": index, "function_name": frame["function"]} if frame.get("function") else {"address": index}
        for index, frame in enumerate(frames, 1)
    ]
    abrt = text_of_abrt(json.dumps({"signal": signal, "stacktrace": [{"crash_thread": True, "frames": told}]}).encode())
    assert fingerprint(crash_of_text(abrt.decode())).stable == expected(name)
    lines = [f"* thread #1, name = 'haproxy', stop reason = signal {document['crash']['signal']}"]
    lines += [
        f"{'  *' if not index else '   '} frame #{index}: 0x{0x1000 + index:016x} haproxy`{frame.get('function') or UNNAMED}"
        for index, frame in enumerate(frames)
    ]
    assert fingerprint(crash_of_text("\n".join(lines))).stable == expected(name)
