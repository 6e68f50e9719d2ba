"""Flags by name: what the bits of HAProxy's flag words mean, release by release.

Enumerations that have a name are in the debug information, and are read there (``named_bits``): ``sc_flags`` and
``se_flags`` since 2.6. Macros and enumerations without a name are not; for them the headers of 2.2.9, 2.6.12,
2.9.6 and 3.0.11 were read. A name holds between two of these releases only if both have it for the same bit. What
is not covered stays a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from forensics.absence import Absence
from forensics.haproxy.release import Release
from forensics.versions import Version

Branch = tuple[int, int]

#: By kind: the branches that have the names, then value and name in turn. Prefixes are left out.
_TABLES: dict[str, dict[str, str]] = {
    # stream-t.h
    "SF": {
        "2.2 3.0": "1 DIRECT 2 ASSIGNED 8 BE_ASSIGNED 10 FORCE_PRST 20 MONITOR 40 CURR_SESS 100 REDISP 200 IGNORE"
        " 400 REDIRECTABLE 800 HTX 80000 IGNORE_PRST 100000 SRV_REUSED",
        "2.2 2.2": "4 ADDR_SET",
        "2.6 3.0": "80 CONN_EXP 200000 SRV_REUSED_ANTICIPATED 400000 WEBSOCKET 800000 SRC_ADDR",
        "2.9 3.0": "4 MAYALLOC 1000000 BC_MARK 2000000 BC_TOS",
    },
    # channel-t.h
    "CF": {
        "2.2 2.6": "1 READ_NULL 2 READ_PARTIAL 8 READ_ERROR 20 SHUTR 40 SHUTR_NOW 80 READ_NOEXP 100 WRITE_NULL"
        " 200 WRITE_PARTIAL 800 WRITE_ERROR 2000 SHUTW 4000 SHUTW_NOW 80000 ANA_TIMEOUT 100000 READ_ATTACHED"
        " 200000 KERN_SPLICING 400000 READ_DONTWAIT 2000000 EXPECT_MORE 4000000 SEND_DONTWAIT 8000000 NEVER_WAIT"
        " 40000000 EOI",
        "2.2 3.0": "4 READ_TIMEOUT 400 WRITE_TIMEOUT 1000 WAKE_WRITE 8000 AUTO_CLOSE 10000 STREAMER"
        " 20000 STREAMER_FAST 40000 WROTE_DATA 800000 AUTO_CONNECT 1000000 DONT_READ 10000000 WAKE_ONCE"
        " 20000000 FLT_ANALYZE 80000000 ISRESP",
        "2.9 3.0": "1 READ_EVENT 100 WRITE_EVENT",
    },
    # channel-t.h: analysers
    "AN": {
        "2.2 3.0": "1 REQ_FLT_START_FE 2 REQ_INSPECT_FE 4 REQ_WAIT_HTTP 8 REQ_HTTP_BODY 10 REQ_HTTP_PROCESS_FE"
        " 20 REQ_SWITCHING_RULES 40 REQ_FLT_START_BE 80 REQ_INSPECT_BE 100 REQ_HTTP_PROCESS_BE 200 REQ_HTTP_TARPIT"
        " 400 REQ_SRV_RULES 800 REQ_HTTP_INNER 1000 REQ_PRST_RDP_COOKIE 2000 REQ_STICKING_RULES"
        " 4000 REQ_FLT_HTTP_HDRS 8000 REQ_HTTP_XFER_BODY 10000 REQ_WAIT_CLI 20000 REQ_FLT_XFER_DATA 40000 REQ_FLT_END"
        " 80000 RES_FLT_START_FE 100000 RES_FLT_START_BE 200000 RES_INSPECT 400000 RES_WAIT_HTTP 800000 RES_STORE_RULES"
        " 1000000 RES_HTTP_PROCESS 2000000 RES_FLT_HTTP_HDRS 4000000 RES_HTTP_XFER_BODY 8000000 RES_WAIT_CLI"
        " 10000000 RES_FLT_XFER_DATA 20000000 RES_FLT_END",
    },
    # connection-t.h
    "CO_FL": {
        "2.2 3.0": "1 SAFE_LIST 2 IDLE_LIST 100 CTRL_READY 200 XPRT_READY 800 WAIT_ROOM 4000 EARLY_SSL_HS"
        " 8000 EARLY_DATA 10000 SOCKS4_SEND 20000 SOCKS4_RECV 40000 SOCK_RD_SH 80000 SOCK_WR_SH 100000 ERROR"
        " 400000 WAIT_L4_CONN 800000 WAIT_L6_CONN 1000000 SEND_PROXY 2000000 ACCEPT_PROXY 4000000 ACCEPT_CIP"
        " 8000000 SSL_WAIT_HS 10000000 PRIVATE 20000000 RCVD_PROXY 40000000 SESS_IDLE 80000000 XPRT_TRACKED",
        "2.2 2.2": "1000 ADDR_FROM_SET 2000 ADDR_TO_SET",
        "2.6 3.0": "400 WANT_DRAIN 200000 FDLESS",
        "2.9 3.0": "4 REVERSED 8 ACT_REVERSING 10 OPT_MARK 20 OPT_TOS",
    },
    # stream_interface-t.h
    "SI_FL": {
        "2.2 2.2": "1 EXP 2 ERR 4 KILL_CONN 8 WAIT_DATA 10 ISBACK 20 DONT_WAKE 40 INDEP_STR 80 NOLINGER 100 NOHALF"
        " 1000 SRC_ADDR 4000 WANT_GET 8000 CLEAN_ABRT 10000 RXBLK_CHAN 20000 RXBLK_BUFF 40000 RXBLK_ROOM"
        " 80000 RXBLK_SHUT 100000 RXBLK_CONN 200000 RX_WAIT_EP 1000000 L7_RETRY 2000000 D_L7_RETRY",
    },
    # connection-t.h
    "CS_FL": {
        "2.2 2.2": "10 SHRD 20 SHRR 40 SHWN 80 SHWS 100 ERROR 200 RCV_MORE 400 WANT_ROOM 800 ERR_PENDING 1000 EOS"
        " 4000 EOI 8000 MAY_SPLICE 10000 WAIT_FOR_HS 20000 KILL_CONN 100000 NOT_FIRST 200000 READ_PARTIAL",
    },
    # http_ana-t.h
    "TX": {
        "2.2 3.0": "8 CONST_REPLY 10 CLTARPIT 800 SCK_PRESENT 1000 CACHEABLE 2000 CACHE_COOK 4000 CACHE_IGNORE"
        " 8000 CON_WANT_TUN 20000 USE_PX_CONN 40000 NOT_FIRST",
        "2.2 2.2": "10000 WAIT_NEXT_RQ",
        "2.6 2.6": "800000 L7_RETRY 1000000 D_L7_RETRY",
        "2.6 3.0": "10000 CACHE_HAS_SEC_KEY",
        "2.9 3.0": "80000 L7_RETRY 100000 D_L7_RETRY",
    },
    # task-t.h; of 3.2 and later as dev/flags of those releases prints them
    "TASK": {
        "2.2 3.4": "1 RUNNING 4 QUEUED 10 SELF_WAKING 20 KILLED 100 WOKEN_INIT 200 WOKEN_TIMER 400 WOKEN_IO"
        " 800 WOKEN_SIGNAL 1000 WOKEN_MSG 2000 WOKEN_RES 4000 WOKEN_OTHER",
        "2.2 3.1": "40 IN_LIST",
        "2.2 2.6": "2 GLOBAL 8 SHARED_WQ",
        "2.6 3.4": "80 HEAVY 8000 F_TASKLET 10000 F_USR1",
        "2.9 3.4": "20000 F_UEVT1 40000 F_UEVT2 100000 F_UEVT3",
        "3.2 3.4": "80000 F_WANTS_TIME",
    },
    # stream_interface-t.h up to 2.5 (SI_ET), stream-t.h since (STRM_ET)
    "ET": {
        "2.2 3.0": "1 QUEUE_TO 2 QUEUE_ERR 4 QUEUE_ABRT 8 CONN_TO 10 CONN_ERR 20 CONN_ABRT 40 CONN_RES 80 CONN_OTHER"
        " 100 DATA_TO 200 DATA_ERR 400 DATA_ABRT",
    },
    # fd-t.h: the state of a descriptor
    "FD": {
        "2.2 3.0": "1 EV_ACTIVE_R 2 EV_READY_R 4 EV_SHUT_R 10 EV_ACTIVE_W 20 EV_READY_W 40 EV_SHUT_W 80 EV_ERR_RW",
        "2.6 3.0": "100 POLL_IN 200 POLL_PRI 400 POLL_OUT 800 POLL_ERR 1000 POLL_HUP 10000 LINGER_RISK 20000 CLONED"
        " 40000 INITIALIZED 80000 ET_POSSIBLE 100000 EXPORTED 200000 EXCL_SYSCALL 400000 DISOWN",
    },
}  # fmt: skip

#: Parts of a word that hold a number: mask, then its names from 1 on.
_NUMBERS = {
    "SF": (
        (0xF000, ("ERR_LOCAL ERR_CLITO ERR_CLICL ERR_SRVTO ERR_SRVCL ERR_PRXCOND ERR_RESOURCE ERR_INTERNAL ERR_DOWN"
                  " ERR_KILLED ERR_UP ERR_CHK_PORT")),
        (0x70000, "FINST_R FINST_C FINST_H FINST_D FINST_L FINST_Q FINST_T"),
    ),
    "TX": (
        (0xE0, "CK_INVALID CK_DOWN CK_VALID CK_EXPIRED CK_OLD CK_UNUSED"),
        (0x700, "SCK_FOUND SCK_DELETED SCK_INSERTED SCK_REPLACED SCK_UPDATED"),
    ),
}  # fmt: skip


def branch_of(release: Release | Absence) -> Branch | None:
    """The branch of a release (2.9.6: (2, 9)); None where it is not known, or a development version."""
    version = release if isinstance(release, Absence) else Version.parse(release.version)
    if isinstance(version, Absence) or version.release.startswith(f"{version.branch}-"):
        return None
    return version.major, version.minor


def names_of(kind: str, value: int, branch: Branch | None) -> tuple[str, ...]:
    """The names of a word of flags, and a number for the bits that have none; () where the release is not covered."""
    table, numbers = _table(kind, branch)
    if not table:
        return ()
    found, rest = [], value
    for mask, names in numbers:
        part = (value & mask) // (mask & -mask)
        rest &= ~mask
        if part:
            found.append(names[part - 1] if part <= len(names) else f"{value & mask:#x}")
    named, rest = _bits(table, rest)
    return (*named, *found, *([f"{rest:#x}"] if rest else ()))


def named_bits(names: Mapping[int, str], value: int, prefix: str) -> tuple[str, ...]:
    """The same by an enumeration of the build: its names without ``prefix``, () where it is not known."""
    single = {bit: name.removeprefix(prefix) for bit, name in names.items() if bit > 0 and not bit & (bit - 1)}
    if not single:
        return ()
    found, rest = _bits(single, value)
    return (*found, *([f"{rest:#x}"] if rest else ()))


def mask_of(names: Mapping[int, str], *wanted: str) -> int:
    """The bits of an enumeration that have these names; those that this build does not have are left out."""
    return sum(bit for bit, name in names.items() if name in wanted)


def _bits(table: Mapping[int, str], value: int) -> tuple[list[str], int]:
    """The names of the bits in ascending order, and the bits that have none."""
    found, rest = [], value
    for bit in sorted(table):
        if value & bit:
            found.append(table[bit])
            rest &= ~bit
    return found, rest


@cache
def _table(kind: str, branch: Branch | None) -> tuple[dict[int, str], tuple[tuple[int, list[str]], ...]]:
    found: dict[int, str] = {}
    for between, words in _TABLES[kind].items():
        first, last = (tuple(map(int, one.split("."))) for one in between.split())
        if branch is not None and first <= branch <= last:
            parts = words.split()
            found |= {int(value, 16): name for value, name in zip(parts[::2], parts[1::2], strict=True)}
    return found, tuple((mask, names.split()) for mask, names in _NUMBERS.get(kind, ()))
