"""Crash reports as apport writes them (problem_report.py): the core as lines of base64 that are one gzip stream."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

#: Bytes of the core in a line.
CHUNK = 1 << 20
HEADER = """\
ProblemType: Crash
Architecture: amd64
Date: Wed Nov 25 10:50:36 2026
DistroRelease: Ubuntu 24.04
ExecutablePath: {program}
ExecutableTimestamp: 1732531836
"""
FOOTER = """\
Package: haproxy 2.8.5-1ubuntu3.2
ProcCmdline: /usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg
ProcMaps:
 55d000000000-55d000100000 r-xp 00000000 fd:00 1 /usr/sbin/haproxy
 7f0000000000-7f0000100000 r-xp 00000000 fd:00 2 /usr/lib/libc.so.6
Signal: 11
SignalName: SIGSEGV
"""
STACK = """\
Stacktrace:
 #0  0x000055d000001234 in stream_free (s=0x7f00) at src/stream.c:600
 No locals.
 #1  0x000055d000002234 in process_stream (t=0x1) at src/stream.c:2033
 No locals.
"""


def encoded_core(core: bytes) -> bytes:
    """`CoreDump:` and what stands below it."""
    lines = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = (packer.compress(core[start : start + CHUNK]) for start in range(0, len(core), CHUNK))
    lines += [packed for packed in pieces if packed]
    lines.append(packer.flush() + struct.pack("<LL", zlib.crc32(core), len(core) & 0xFFFFFFFF))
    return b"CoreDump: base64\n" + b"".join(b" " + base64.b64encode(line) + b"\n" for line in lines)


def write_report(
    path: Path, core: bytes | None, program: str = "/usr/sbin/haproxy", stack: str = "", footer: str = FOOTER
) -> Path:
    """A report with this core, or none."""
    body = encoded_core(core) if core is not None else b""
    path.write_bytes(HEADER.format(program=program).encode() + body + footer.encode() + stack.encode())
    return path
