"""The lines of HAProxy's `show info`, in its order (stats_fill_info of src/stats.c; names of 2.2 to 3.4).

New fields were added at the end, or where they belong, so that one order serves all releases. Those that a build does
not print are told by what it has: a variable, a member, or a feature it was made with.
"""

from __future__ import annotations

from collections.abc import Callable

from forensics.absence import Absence
from forensics.haproxy.clock import Moment
from forensics.haproxy.global_state import GlobalState
from forensics.haproxy.release import Release
from forensics.haproxy.state import State
from forensics.record import record

Value = int | str | Absence

#: global.tune.options (global-t.h); the same bit since 1.9.
_BUSY_POLLING = 1 << 11


class Asked(GlobalState):
    """The process with its core: some lines are known from the notes alone."""

    def __init__(self, state: State) -> None:
        super().__init__(state.space)
        self.state = state

    @property
    def release(self) -> Release | Absence:
        """Which HAProxy it was."""
        return self.state.release


@record
class Line:
    """One line: its ``name``, how it is read, and whether this build prints it."""

    name: str
    read: Callable[[Asked], Value]
    printed: Callable[[Asked], bool] = lambda _asked: True


def _ssl(asked: Asked) -> bool:
    # 2.2 does not list its features in memory: there the counter of src/ssl_sock.c tells.
    if isinstance(asked.features, str):
        return asked.has_feature("OPENSSL")
    return asked.has_variable("sslconns")


def _zlib(asked: Asked) -> bool:
    return asked.has_variable("zlib_used_memory")


def _tells_bytes(asked: Asked) -> bool:
    """2.6 tells sizes in bytes, the start and whether the process is tainted; 2.2 has neither of these variables."""
    return asked.has_variable("tainted", "build_features")


def _described(asked: Asked) -> bool:
    return bool(asked.member("desc"))


def _variable(*names: str) -> Callable[[Asked], Value]:
    return lambda asked: _unsigned(asked.variable(*names))


def _member(*paths: str) -> Callable[[Asked], Value]:
    return lambda asked: _unsigned(asked.member(*paths))


def _member_or_variable(name: str) -> Callable[[Asked], Value]:
    """A member of struct global in 2.6, a variable of its own in 2.2."""
    return lambda asked: _unsigned(asked.member(name) if asked.has_member(name) else asked.variable(name))


def _rate(*paths: str) -> Callable[[Asked], Value]:
    return lambda asked: asked.rate(*paths)


def _has(*names: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.has_variable(*names)


def _unsigned(value: int | Absence) -> int | Absence:
    """As HAProxy prints most: 32 bits, unsigned."""
    return value if isinstance(value, Absence) else value & 0xFFFFFFFF


def _version(asked: Asked) -> Value:
    return asked.release if isinstance(asked.release, Absence) else asked.release.version


def _date(asked: Asked) -> Value:
    if isinstance(asked.release, Absence):
        return asked.release
    return asked.release.date or Absence("process.release_date", "no date stands near the version")


def _pid(asked: Asked) -> Value:
    found, process = asked.variable("pid"), asked.state.process.core.process
    if not isinstance(found, Absence):
        return found
    return process.pid if process else Absence("pid", "the core has no NT_PRPSINFO")


def _processes(asked: Asked) -> Value:
    """Number ``nbproc`` of struct global, up to 2.4; later releases have one process."""
    if isinstance(asked.settings, Absence):
        return asked.settings
    return asked.member("nbproc") if asked.has_member("nbproc") else 1


def _number_of_process(asked: Asked) -> Value:
    """``relative_pid``, up to 2.4; the only process later."""
    start = asked.space.extent("start_date")
    if isinstance(start, Absence):
        return start
    return asked.variable("relative_pid") if asked.has_variable("relative_pid") else 1


def _uptime(asked: Asked) -> Value:
    seconds = _uptime_seconds(asked)
    if isinstance(seconds, Absence):
        return seconds
    return f"{seconds // 86400}d {seconds % 86400 // 3600}h{seconds % 3600 // 60:02}m{seconds % 60:02}s"


def _uptime_seconds(asked: Asked) -> int | Absence:
    """Whole seconds. 2.2, whose counters of events go by seconds, takes the seconds of one date from the other's."""
    clock, counter = asked.clock, asked.space.layout("freq_ctr")
    by_second = not isinstance(counter, Absence) and "curr_sec" in counter.fields
    if by_second and isinstance(clock.start, int) and isinstance(clock.now, Moment):
        return max(clock.now.seconds - clock.start // 1_000_000, 0)
    return clock.uptime if isinstance(clock.uptime, Absence) else clock.uptime // 1_000_000


def _start(asked: Asked) -> Value:
    return asked.clock.start if isinstance(asked.clock.start, Absence) else asked.clock.start // 1_000_000


def _boot(asked: Asked) -> Value:
    start, ready = asked.clock.start, asked.clock.ready
    if isinstance(start, Absence):
        return start
    return ready if isinstance(ready, Absence) else max(ready - start, 0) // 1000


def _pools(member: str, unit: int = 1) -> Callable[[Asked], Value]:
    def read(asked: Asked) -> Value:
        return asked.pools if isinstance(asked.pools, Absence) else getattr(asked.pools, member) // unit

    return read


def _memory_limit(asked: Asked) -> Value:
    limit = asked.member("rlimit_memmax")
    return limit if isinstance(limit, Absence) else limit << 20 & 0xFFFFFFFF


def _reuse(asked: Asked) -> Value:
    """Percentage of TLS sessions that needed no new key."""
    sessions, keys = asked.rate("ssl_per_sec"), asked.rate("ssl_fe_keys_per_sec")
    if isinstance(sessions, Absence):
        return sessions
    if isinstance(keys, Absence):
        return keys
    return int(100.0 * (1.0 - keys / sessions)) if keys < sessions else 0


def _tasks(asked: Asked) -> Value:
    return asked.sum_of_threads("nb_tasks") if asked.has_context("nb_tasks") else asked.variable("nb_tasks_cur")


def _run_queue(asked: Asked) -> Value:
    """2.6 adds up what is queued; in 2.2 the scheduler leaves a copy of its total."""
    if not asked.has_context("rq_total"):
        return asked.variable("tasks_run_queue_cur")
    local = asked.sum_of_threads("rq_total")
    shared = asked.variable("grq_total")  # up to 2.6
    return local if isinstance(local, Absence) else local + (0 if isinstance(shared, Absence) else shared)


def _idle(asked: Asked) -> Value:
    """The average of all threads in 2.6 and later; in 2.2 that of the thread that answers, and here none does."""
    if not asked.has_context("idle_pct"):
        return Absence("Idle_pct", "HAProxy tells that of the thread that answers, and a core has none")
    found = asked.of_threads("idle_pct")
    return found if isinstance(found, Absence) else sum(found) // len(found)


def _busy_polling(asked: Asked) -> Value:
    options = asked.member("tune.options")
    return options if isinstance(options, Absence) else int(bool(options & _BUSY_POLLING))


def _bytes(member: str) -> Callable[[Asked], Value]:
    """Counted for the whole process in 2.6, by each thread in 3.0."""

    def read(asked: Asked) -> Value:
        found = asked.member(member) if asked.has_member(member) else asked.sum_of_threads(member)
        return found if isinstance(found, Absence) else found & 0xFFFFFFFFFFFFFFFF

    return read


def _splices(asked: Asked) -> bool:
    return asked.has_member("spliced_out_bytes") or asked.has_context("spliced_out_bytes")


def _byte_rate(asked: Asked) -> Value:
    """Counted in units of 32 bytes."""
    of_all = asked.has_member("out_32bps")
    found = asked.rate("out_32bps") if of_all else asked.rate_of_threads("out_32bps")
    return found if isinstance(found, Absence) else found * 32


def _tainted(asked: Asked) -> Value:
    found = asked.variable("tainted")
    return found if isinstance(found, Absence) else (f"{found:#x}" if found else "0")


def _niced(asked: Asked) -> Value:
    groups = asked.member("nbtgroups")
    if isinstance(groups, Absence):
        return groups
    total = 0
    for group in asked.space.array("ha_tgroup_ctx", "tgroup_ctx", min(max(groups, 1), 64)):
        count = group.number("niced_tasks")
        if isinstance(count, Absence):
            return count
        total += count
    return total


def _counts_niced(asked: Asked) -> bool:
    layout = asked.space.layout("tgroup_ctx")
    return asked.has_variable("ha_tgroup_ctx") and (isinstance(layout, Absence) or "niced_tasks" in layout.fields)


def _streams(member: str) -> Line:
    name = "CurrStreams" if member == "stream_cnt" else "CumStreams"
    return Line(name, lambda asked: asked.sum_of_threads(member), lambda asked: asked.has_context(member))


LINES = (
    Line("Name", lambda _asked: "HAProxy"),
    Line("Version", _version),
    Line("Release_date", _date),
    Line("Nbthread", lambda asked: asked.threads),
    Line("Nbproc", _processes),
    Line("Process_num", _number_of_process),
    Line("Pid", _pid),
    Line("Uptime", _uptime),
    Line("Uptime_sec", _uptime_seconds),
    Line("Memmax_MB", _member("rlimit_memmax")),
    Line("PoolAlloc_MB", _pools("allocated", 1 << 20)),
    Line("PoolUsed_MB", _pools("used", 1 << 20)),
    Line("PoolFailed", _pools("failed")),
    Line("Ulimit-n", _member("rlimit_nofile")),
    Line("Maxsock", _member("maxsock")),
    Line("Maxconn", _member("maxconn")),
    Line("Hard_maxconn", _member("hardmaxconn")),
    Line("CurrConns", _variable("actconn")),
    Line("CumConns", _variable("totalconn")),
    Line("CumReq", _member("req_count")),
    Line("MaxSslConns", _member("maxsslconn"), _ssl),
    Line("CurrSslConns", _member_or_variable("sslconns"), _ssl),
    Line("CumSslConns", _member_or_variable("totalsslconns"), _ssl),
    Line("Maxpipes", _member("maxpipes")),
    Line("PipesUsed", _variable("pipes_used")),
    Line("PipesFree", _variable("pipes_free")),
    Line("ConnRate", _rate("conn_per_sec")),
    Line("ConnRateLimit", _member("cps_lim")),
    Line("MaxConnRate", _member("cps_max")),
    Line("SessRate", _rate("sess_per_sec")),
    Line("SessRateLimit", _member("sps_lim")),
    Line("MaxSessRate", _member("sps_max")),
    Line("SslRate", _rate("ssl_per_sec"), _ssl),
    Line("SslRateLimit", _member("ssl_lim"), _ssl),
    Line("MaxSslRate", _member("ssl_max"), _ssl),
    Line("SslFrontendKeyRate", _rate("ssl_fe_keys_per_sec"), _ssl),
    Line("SslFrontendMaxKeyRate", _member("ssl_fe_keys_max"), _ssl),
    Line("SslFrontendSessionReuse_pct", _reuse, _ssl),
    Line("SslBackendKeyRate", _rate("ssl_be_keys_per_sec"), _ssl),
    Line("SslBackendMaxKeyRate", _member("ssl_be_keys_max"), _ssl),
    Line("SslCacheLookups", _member("shctx_lookups"), _ssl),
    Line("SslCacheMisses", _member("shctx_misses"), _ssl),
    Line("CompressBpsIn", _rate("comp_bps_in")),
    Line("CompressBpsOut", _rate("comp_bps_out")),
    Line("CompressBpsRateLim", _member("comp_rate_lim")),
    Line("ZlibMemUsage", _variable("zlib_used_memory"), _zlib),
    Line("MaxZlibMemUsage", _member("maxzlibmem"), _zlib),
    Line("Tasks", _tasks),
    Line("Run_queue", _run_queue),
    Line("Idle_pct", _idle),
    Line("node", lambda asked: asked.text("node")),
    Line("description", lambda asked: asked.text("desc"), _described),
    Line("Stopping", _variable("stopping")),
    Line("Jobs", _variable("jobs")),
    Line("Unstoppable Jobs", _variable("unstoppable_jobs")),
    Line("Listeners", _variable("listeners")),
    Line("ActivePeers", _variable("active_peers")),
    Line("ConnectedPeers", _variable("connected_peers")),
    Line("DroppedLogs", _variable("dropped_logs")),
    Line("BusyPolling", _busy_polling),
    Line("FailedResolutions", _variable("resolv_failed_resolutions", "dns_failed_resolutions")),
    Line("TotalBytesOut", _bytes("out_bytes")),
    Line("TotalSplicedBytesOut", _bytes("spliced_out_bytes"), _splices),
    Line("BytesOutRate", _byte_rate),
    Line("DebugCommandsIssued", _variable("debug_commands_issued")),
    Line("CumRecvLogs", _variable("cum_log_messages"), _has("cum_log_messages")),
    Line("Build info", _version),
    Line("Memmax_bytes", _memory_limit, _tells_bytes),
    Line("PoolAlloc_bytes", _pools("allocated"), _tells_bytes),
    Line("PoolUsed_bytes", _pools("used"), _tells_bytes),
    Line("Start_time_sec", _start, _tells_bytes),
    Line("Tainted", _tainted, _tells_bytes),
    Line("TotalWarnings", _variable("tot_warnings"), _has("tot_warnings")),
    Line("MaxconnReached", _variable("maxconn_reached"), _has("maxconn_reached")),
    Line("BootTime_ms", _boot, _has("ready_date")),
    Line("Niced_tasks", _niced, _counts_niced),
    _streams("stream_cnt"),
    _streams("total_streams"),
    Line("BlockedTrafficWarnings", _variable("warn_blocked_issued"), _has("warn_blocked_issued")),
    Line("PatternsAdded", _variable("patterns_added"), _has("patterns_added")),
    Line("PatternsFreed", _variable("patterns_freed"), _has("patterns_freed")),
    # 3.4 prints it and the two before, 3.2 none of them; the number itself is older.
    Line("NbThreadGroups", _member("nbtgroups"), _has("patterns_freed")),
)
