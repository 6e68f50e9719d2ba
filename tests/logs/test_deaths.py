"""What master, systemd and kernel say of a death."""

from __future__ import annotations

import pytest

from forensics.logs import KernelFault, parse
from tests.logs.carriers import lines_of, text_lines

SEGFAULT = (
    "haproxy[13726]: segfault at 1 ip 0000558b178329b6 sp 00007fff7b93fa90 error 6 "
    "in haproxy[539b6,558b1782e000+1dd000] likely on CPU 0 (core 0, socket 0)"
)
CODE = "Code: e8 ff 42 17 00 <c6> 04 25 01 00 00 00 00 e8 b5 43 17 00"
TRAP = (
    "traps: haproxy[17966] trap invalid opcode ip:562d11912855 sp:7ffc8419e490 error:0 "
    "in haproxy[1d4855,562d117a7000+28b000]"
)


def fault(text: str) -> KernelFault:
    """The one fault of a text."""
    (found,) = parse(text_lines(text)).kernel_faults
    return found


def test_the_master_tells_pid_code_and_signal() -> None:
    """A real log of 2.6.12."""
    (found,) = parse(lines_of("2.6.12-segfault.log")).exits
    assert (found.code, found.signal, found.role, found.line) == (139, "SIGSEGV", "current", 5)


@pytest.mark.parametrize(
    ("text", "pid", "code", "signal", "role"),
    [
        ("Current worker #1 (44443) exited with code 139 (Segmentation fault)", 44443, 139, "SIGSEGV", "current"),
        ("Current worker (24663) exited with code 134 (Aborted)", 24663, 134, "SIGABRT", "current"),
        ("Former worker (7) exited with code 132 (Illegal), as it exceeds max reloads (2)", 7, 132, "SIGILL", "former"),
        ("Former worker (7) exited with code 143 (Terminated)", 7, 143, "SIGTERM", "former"),
        ("Failed to load worker (7) exited with code 1 (Exit)", 7, 1, None, "failed"),
        ("Current program 'api' (7) exited with code 139 (Segmentation fault)", 7, 139, "SIGSEGV", "other"),
        ("Process 7 exited with code 137 (Killed)", 7, 137, "SIGKILL", "other"),
    ],
)
def test_every_sentence_of_the_master_is_known(text: str, pid: int, code: int, signal: str | None, role: str) -> None:
    """Below the prefix of 2.3, and that of 2.4."""
    for prefix in ("[ALERT] 083/003912 (44441) : ", "[WARNING]  (24661) : "):
        (found,) = parse(text_lines(prefix + text)).exits
        assert (found.pid, found.code, found.signal, found.role) == (pid, code, signal, role)


@pytest.mark.parametrize(
    ("text", "code", "status", "signal"),
    [
        ("haproxy.service: Main process exited, code=exited, status=139/n/a", "exited", 139, "SIGSEGV"),
        ("haproxy.service: Main process exited, code=killed, status=11/SEGV", "killed", 11, "SIGSEGV"),
        ("haproxy.service: Main process exited, code=dumped, status=6/ABRT", "dumped", 6, "SIGABRT"),
        ("haproxy.service: Main process exited, code=exited, status=1/FAILURE", "exited", 1, None),
    ],
)
def test_systemd_tells_how_the_service_ended(text: str, code: str, status: int, signal: str | None) -> None:
    """And its verdict, if it follows."""
    tag = "Jan 18 11:23:05 lb1 systemd[1]: "
    lines = f"{tag}{text}\n{tag}haproxy.service: Failed with result 'core-dump'.\n"
    (found,) = parse(text_lines(lines)).systemd_exits
    assert (found.unit, found.code, found.status, found.signal) == ("haproxy.service", code, status, signal)
    assert found.result == "core-dump"


def test_a_segfault_is_read_with_its_mapping_and_code() -> None:
    """A real line of 6.18, which prints the file offset of ip."""
    found = fault(f"[ 12.345678] {SEGFAULT}\n[ 12.345679] {CODE}\n")
    assert (found.kind, found.comm, found.pid, found.address, found.error) == ("segfault", "haproxy", 13726, 1, 6)
    assert (found.ip, found.module, found.module_offset) == (0x558B178329B6, "haproxy", 0x539B6)
    assert (found.base, found.size) == (0x558B1782E000, 0x1DD000)
    assert found.code is not None and found.code_ip == 5
    assert found.code[5:13] == bytes.fromhex("c604250100000000")


def test_older_kernels_print_less() -> None:
    """No offset, or no mapping at all."""
    found = fault(
        "haproxy[7]: segfault at 7f0000000010 ip 000055d0 sp 00007ffd error 4 in haproxy[55d000000000+1dd000]"
    )
    assert (found.module, found.module_offset, found.base) == ("haproxy", None, 0x55D000000000)
    assert fault("haproxy[7]: segfault at 0 ip 0000 sp 7ffd error 4").module is None


def test_a_trap_has_no_address() -> None:
    """The ud2 of BUG_ON since 2.8."""
    found = fault(f"Nov 23 08:17:33 lb1 kernel: [  12.345678] {TRAP}\n")
    assert (found.kind, found.trap, found.address, found.pid) == ("trap", "invalid opcode", None, 17966)
    assert (found.ip, found.module_offset) == (0x562D11912855, 0x1D4855)


@pytest.mark.parametrize("words", ["general protection", "general protection fault"])
def test_a_general_protection_fault_has_no_address_either(words: str) -> None:
    """A pointer that is no address."""
    found = fault(f"traps: haproxy[7] {words} ip:55d0 sp:7ffd error:0 in haproxy[55d000000000+1dd000]")
    assert (found.kind, found.trap, found.address, found.ip) == ("general protection", None, None, 0x55D0)


@pytest.mark.parametrize(
    ("text", "pid"),
    [
        ("Out of memory: Killed process 77 (haproxy) total-vm:1kB, anon-rss:1kB, oom_score_adj:0", 77),
        ("Memory cgroup out of memory: Killed process 77 (haproxy) total-vm:1kB", 77),
        ("Out of memory: Kill process 77 (haproxy) score 9 or sacrifice child", 77),
        ("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,task=haproxy,pid=77,uid=99", 77),
        ("haproxy.service: Failed with result 'oom-kill'.", None),
    ],
)
def test_the_victim_of_the_oom_killer_is_named(text: str, pid: int | None) -> None:
    """Which is no crash."""
    (found,) = parse(text_lines(f"[ 12.345678] {text}\n" if pid else text)).out_of_memory
    assert (found.pid, found.comm) == (pid, "haproxy")


def test_one_who_invokes_the_killer_is_not_the_victim() -> None:
    """And a victim that is told twice is one."""
    text = (
        "[ 12.345678] haproxy invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n"
        "[ 12.345679] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=mysqld,pid=77,uid=99\n"
        "[ 12.345680] Out of memory: Killed process 77 (mysqld) total-vm:1kB\n"
    )
    (found,) = parse(text_lines(text)).out_of_memory
    assert (found.pid, found.comm) == (77, "mysqld")


@pytest.mark.parametrize("damaged", ["Code: e8 ff4<c6> 04", "Code: e8ff<c6>04", "Code: <e8<ff>", "Code: e8<c6 04>"])
def test_code_whose_blanks_were_lost_is_still_bytes(damaged: str) -> None:
    found = fault(f"{SEGFAULT}\n{damaged}\n")
    assert found.code is None or len(found.code) >= 2
    assert fault(f"{SEGFAULT}\nCode: e8ff<c6>04\n").code == bytes.fromhex("e8ffc604")
    assert fault(f"{SEGFAULT}\nCode: e8ff<c6>04\n").code_ip == 2
