"""The expected report of each sample: what triage says of all that its folder holds.

``python -m samples.golden [NAME...]`` writes ``expected.json`` again, after a change that
was meant; the difference is to be read before it is committed. Only the samples' own
files and ``samples/symbols`` count: nothing of the machine can change the answer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from forensics.api import Options, gather, triage
from forensics.errors import InputError
from forensics.evidence.fact import Crash
from forensics.report.render_json import to_json_dict
from forensics.symbols.find import Places

SAMPLES = Path(__file__).parent
SYMBOLS = SAMPLES / "symbols"
EXPECTED = "expected.json"

#: What a folder may hold, in the order of triage's arguments.
EVIDENCE = (
    "core.zst", "worker.log", "journal.log", "container-json.log",
    "haproxy.log", "haproxy.log.1.gz", "haproxy.log.2.gz", "haproxy.cfg",
)  # fmt: skip


def names() -> list[str]:
    """The samples: folders with evidence."""
    return sorted(one.name for one in SAMPLES.iterdir() if any((one / file).is_file() for file in EVIDENCE))


def evidence(name: str, *files: str) -> list[str]:
    """The paths of a sample's files that are there and not empty; all of them unless ``files`` names some."""
    paths = (SAMPLES / name / file for file in files or EVIDENCE)
    return [str(path) for path in paths if path.is_file() and path.stat().st_size]


def options() -> Options:
    """Only the symbol packs; an empty directory stands for the crashed host."""
    empty = tempfile.gettempdir() + "/haproxy-forensics-no-such-host"
    return Options(Places(sysroot=empty, packs=(str(SYMBOLS),)))


def document(name: str, *files: str) -> dict[str, Any]:
    """The report of a sample, without what depends on the tool's version and the checkout's place.

    A sample that cannot be analysed gives its error, which is then what is expected.
    """
    try:
        report: Any = to_json_dict(triage(evidence(name, *files), options()))
    except InputError as error:
        return {"error": _local(error.message), "hint": _local(error.hint)}
    report.pop("tool", None)
    for module in report.get("modules", []):
        module.pop("tried", None)
    return json.loads(_local(json.dumps(report)))  # type: ignore[no-any-return]


def crash(name: str, *files: str) -> Crash:
    """The facts of a sample, for the cases of signatures."""
    return gather(evidence(name, *files), options())[2]


def _local(text: str) -> str:
    """Paths as seen from the top of the checkout."""
    return text.replace(f"{SAMPLES.parent}/", "")


def write(name: str) -> None:
    """Write the expected report of one sample."""
    text = json.dumps(document(name), indent=1, ensure_ascii=False) + "\n"
    (SAMPLES / name / EXPECTED).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or names():
        write(each)
        print(f"samples/{each}/{EXPECTED}")
