"""Real logs through real collectors: `python -m tests.logs.carry` writes tests/logs/carried.

It takes systemd-journal-remote, journalctl and rsyslogd of the machine, or of a directory of unpacked packages that
COLLECTORS names (`dpkg -x`): systemd-journal-remote 252.39, rsyslog 8.2302.0 with liblognorm5, libestr0 and
libfastjson4, all of Debian 12. Each log is written once with a record a line, and once as one record of many lines
(`folded`). The clock of the journal is fixed; rsyslog writes the time of the day on which this ran.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.logs.carriers import DATA, lines_of

HERE = Path(__file__).parent / "carried"
COLLECTORS = Path(os.environ.get("COLLECTORS", "/"))
LIBRARIES = "lib/systemd:usr/lib/x86_64-linux-gnu:usr/lib/x86_64-linux-gnu/systemd"
LOGS = ("2.9.0-requeue-expiry-race", "2.9.0-watchdog-2")
JOURNAL_FORMS = (
    "short", "short-iso", "short-iso-precise", "short-full", "short-unix", "short-monotonic", "with-unit", "verbose",
    "export", "json", "json-pretty",
)  # fmt: skip
#: 2024-01-18 10:23:05.600716 UTC, in microseconds.
STARTED = 1705573385600716
PID = 4242


def environment() -> dict[str, str]:
    """With the libraries of the unpacked packages, and in UTC."""
    paths = ":".join(str(COLLECTORS / each) for each in LIBRARIES.split(":"))
    return {**os.environ, "LD_LIBRARY_PATH": f"{paths}:/lib/systemd:/usr/lib/x86_64-linux-gnu/systemd", "TZ": "UTC"}


def journal(records: Sequence[bytes], place: Path) -> Path:
    """A journal file of one record each."""
    source, made = place / "in.export", place / "made.journal"
    source.write_bytes(b"".join(_entry(each, number) for number, each in enumerate(records)))
    made.unlink(missing_ok=True)
    tool = COLLECTORS / "lib/systemd/systemd-journal-remote"
    with source.open("rb") as stream:
        subprocess.run([tool, "-o", made, "-"], stdin=stream, check=True, env=environment(), timeout=30)
    return made


def _entry(message: bytes, number: int) -> bytes:
    fields = {
        "__REALTIME_TIMESTAMP": STARTED + number, "__MONOTONIC_TIMESTAMP": 123456789 + number,
        "_BOOT_ID": "0123456789abcdef0123456789abcdef", "_HOSTNAME": "lb1", "SYSLOG_IDENTIFIER": "haproxy",
        "_PID": PID, "_COMM": "haproxy", "_TRANSPORT": "stdout", "_SYSTEMD_UNIT": "haproxy.service", "PRIORITY": 6,
    }  # fmt: skip
    head = "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
    return head + b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n\n"


def through_journal(records: Sequence[bytes], form: str, place: Path) -> bytes:
    """What journalctl prints of the records."""
    command = ["journalctl", f"--file={journal(records, place)}", "-o", form, "--all", "--no-pager", "-q"]
    return subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=30).stdout


def through_rsyslog(records: Sequence[bytes], place: Path) -> dict[str, bytes]:
    """What rsyslog writes of the records, in each of its own templates."""
    templates = {"file": "RSYSLOG_FileFormat", "traditional": "RSYSLOG_TraditionalFileFormat",
                 "rfc5424": "RSYSLOG_SyslogProtocol23Format"}  # fmt: skip
    configuration = place / "rsyslog.conf"
    configuration.write_text(
        f'global(workDirectory="{place}" maxMessageSize="64k")\n'
        'module(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{place}/log" RateLimit.Interval="0")\n'
        + "".join(
            f'action(type="omfile" file="{place}/{name}" template="{each}")\n' for name, each in templates.items()
        )
    )
    modules = COLLECTORS / "usr/lib/x86_64-linux-gnu/rsyslog"
    command: list[str | Path] = [
        COLLECTORS / "usr/sbin/rsyslogd",
        "-n",
        "-f",
        configuration,
        "-i",
        place / "pid",
        "-M",
        modules,
    ]
    with subprocess.Popen(command, env=environment()) as daemon:
        time.sleep(1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(place / "log"))
            for each in records:
                sender.send(b"<30>Jan 18 10:23:05 haproxy[%d]: " % PID + each)
        time.sleep(1)
        daemon.terminate()
    return {name: (place / name).read_bytes().replace(socket.gethostname().encode(), b"lb1") for name in templates}


def main() -> None:
    """Write all of them."""
    HERE.mkdir(exist_ok=True)
    for log in LOGS:
        assert (DATA / f"{log}.log").exists()
        lines = [line.rstrip(b"\n") for line in lines_of(f"{log}.log")]
        for shape, records in (("lines", [each for each in lines if each]), ("folded", [b"\n".join(lines)])):
            with tempfile.TemporaryDirectory() as scratch:
                for form in JOURNAL_FORMS:
                    text = through_journal(records, form, Path(scratch))
                    (HERE / f"{log}.{shape}.journal-{form}").write_bytes(text)
                for name, text in through_rsyslog(records, Path(scratch)).items():
                    (HERE / f"{log}.{shape}.rsyslog-{name}").write_bytes(text)


if __name__ == "__main__":
    main()
