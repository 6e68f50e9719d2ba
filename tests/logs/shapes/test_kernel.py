"""What the kernel says."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from tests.logs.shapes.facts import Facts, check

HAPROXY = "haproxy[13726]: segfault at {at} ip 0000558b178329b6 sp 00007fff7b93fa90 error {error} in haproxy[558b1782e000+1dd000]\n"
ARM = "haproxy[123]: unhandled exception: {what} in haproxy[aaaac5f40000+200000]\n"
KERNEL: dict[str, tuple[str, Facts]] = {
    "a write to address 1": (
        HAPROXY.format(at=1, error=6) + "Code: e8 ff 42 17 00 <c6> 04 25 01 00 00 00 00 e8 00\n",
        {"crash.kind": "bug_on", "crash.signal": "SIGSEGV"},
    ),
    "the same of 2.5": (
        HAPROXY.format(at=1, error=6) + "Code: e8 <c7> 04 25 01 00 00 00 00 00 00 00 e8 00\n", {"crash.kind": "bug_on"},
    ),
    "the same without its code": (HAPROXY.format(at=1, error=6), {"crash.kind": "bug_on"}),
    "a read of address 1": (HAPROXY.format(at=1, error=4), {"crash.kind": "segfault"}),
    "another write to address 1": (
        HAPROXY.format(at=1, error=6) + "Code: c6 04 25 01 00 00 00 00 <88> 10 c6 04 25 01 00 00 00 00\n",
        {"crash.kind": "segfault"},
    ),
    "a wild pointer": (HAPROXY.format(at=18, error=4), {"crash.kind": "segfault", "crash.address": 0x18}),
    "a trap of another kind": (
        "traps: haproxy[7] trap divide error ip:55d0 sp:7ffd error:0 in haproxy[55d000000000+1dd000]\n",
        {"crash.kind": "segfault", "crash.signal": "SIGFPE"},
    ),
    "a breakpoint": (
        "traps: haproxy[7] trap int3 ip:55d0 sp:7ffd error:0 in haproxy[55d000000000+1dd000]\n",
        {"crash.kind": None, "crash.signal": "SIGTRAP"},
    ),
    "an illegal instruction in a library": (
        "traps: haproxy[7] trap invalid opcode ip:55d0 sp:7ffd error:0 in libcrypto.so.3[55d000000000+1dd000]\n",
        {"crash.kind": None, "crash.signal": "SIGILL"},
    ),
    "arm64": (
        ARM.format(what="DABT (lower EL), ESR 0x0000000092000006, level 2 translation fault"),
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV", "crash.address": None},
    ),
    "arm64, its own end": (ARM.format(what="undefined instruction"), {"crash.kind": "bug_on", "crash.signal": "SIGILL"}),
    "arm64, older": (
        "haproxy[123]: unhandled level 2 translation fault (11) at 0x00000001, esr 0x92000046, in haproxy[aaaac5f40000+200000]\n",
        {"crash.kind": "bug_on", "crash.address": 1},
    ),
    "arm64, older still": (
        "haproxy[123]: unhandled level 1 translation fault (11) at 0x00000010, esr 0x92000005\n",
        {"crash.kind": "segfault", "crash.address": 16},
    ),
    "arm64, a stack pointer that is none": (
        ARM.format(what="SP Alignment, ESR 0x000000009a000000, SP/PC alignment exception"),
        {"crash.kind": "segfault", "crash.signal": "SIGBUS"},
    ),
    "arm64, memory tagging": (
        ARM.format(what="DABT (lower EL), ESR 0x0000000092000051, synchronous tag check fault"),
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV"},
    ),
    "memory of a cgroup": (
        "Memory cgroup out of memory: Killed process 7 (haproxy) total-vm:1kB, anon-rss:1kB\n",
        {"crash.kind": "oom", "stack": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNEL)
def test_the_kernel_tells_faults_from_ends_on_purpose(name: str) -> None:
    text, facts = KERNEL[name]
    check("".join(f"[  12.345678] {line}\n" for line in text.splitlines()), facts)


def test_arm64_registers_below_a_fault_are_read() -> None:
    from forensics.logs import parse

    text = ARM.format(what="DABT (lower EL), ESR 0x92000046, level 2 translation fault") + (
        "CPU: 1 PID: 123 Comm: haproxy Not tainted 6.1.0\npc : 0000aaaac5f4abcd\nlr : 0000aaaac5f4abc0\n"
        "sp : 0000fffff5f4abc0\nCode: aa0003e1 d2800000 (b900001f) 00000000\n"
    )
    (fault,) = parse(f"[ 1.2] {line}\n".encode() for line in text.splitlines()).kernel_faults
    assert (fault.ip, fault.sp, fault.error) == (0xAAAAC5F4ABCD, 0xFFFFF5F4ABC0, 0x92000046)
    assert fault.code is not None and fault.code_ip == 8
    assert fault.code[8:12] == bytes.fromhex("1f0000b9")


@pytest.mark.parametrize(
    "line",
    [
        "Process 7(haproxy) has RLIMIT_CORE set to 1",
        "coredump: 7(haproxy): |/usr/lib/systemd/systemd-coredump pipe failed",
    ],
)
def test_a_core_that_the_kernel_refused_is_a_gap(line: str) -> None:
    crash = crash_of_text(f"[ 1.2] {HAPROXY.format(at=18, error=4)}[ 1.3] {line}\n[ 1.4] Aborting core\n")
    assert [gap.subject for gap in crash.gaps if "kernel" in gap.reason] == ["core of the process"]
