"""What was written when it died, read from text.

`parse` turns the lines of a log, whatever carried them, into a `LogEvidence`: what
HAProxy, its master, the kernel, systemd and debuggers said of the death. Shapes are
recognised as they are, never by version, because maintenance releases take over texts
of later branches.
"""

from __future__ import annotations

from forensics.logs.addresses import Mapping
from forensics.logs.bug import BugReport, parse_bug
from forensics.logs.carrier import iter_records
from forensics.logs.container import ContainerExit
from forensics.logs.coredump import CoredumpFrame, CoredumpReport, CoredumpThread
from forensics.logs.culprit import culprit_frames
from forensics.logs.evidence import Incident, LogEvidence
from forensics.logs.fatal import Fatal
from forensics.logs.gdb import PastedBacktrace, PastedThread
from forensics.logs.gdb_frame import PastedFrame
from forensics.logs.interest import looks_like_evidence, looks_like_text
from forensics.logs.kernel import KernelFault
from forensics.logs.line import Origin, Record
from forensics.logs.master import WorkerExit
from forensics.logs.mentions import Mention
from forensics.logs.out_of_memory import OutOfMemory
from forensics.logs.panic import Panic
from forensics.logs.parse import Found, LogReading, parse, parse_stream
from forensics.logs.places import AssertionPlace
from forensics.logs.systemd import SystemdExit
from forensics.logs.thread_dump import ThreadDump
from forensics.logs.trace import TraceFrame, parse_symbol

__all__ = [
    "AssertionPlace",
    "BugReport",
    "ContainerExit",
    "CoredumpFrame",
    "CoredumpReport",
    "CoredumpThread",
    "Fatal",
    "Found",
    "Incident",
    "KernelFault",
    "LogEvidence",
    "LogReading",
    "Mapping",
    "Mention",
    "Origin",
    "OutOfMemory",
    "Panic",
    "PastedBacktrace",
    "PastedFrame",
    "PastedThread",
    "Record",
    "SystemdExit",
    "ThreadDump",
    "TraceFrame",
    "WorkerExit",
    "culprit_frames",
    "iter_records",
    "looks_like_evidence",
    "looks_like_text",
    "parse",
    "parse_bug",
    "parse_stream",
    "parse_symbol",
]
