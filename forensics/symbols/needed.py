"""What of a build's types HAProxy's state is read with: kept in slim symbol packs and in layouts of releases."""

from __future__ import annotations

#: Source files whose units include most headers: structures are looked for there first.
UNITS = ("haproxy.c", "stick_table.c", "peers.c", "stream.c", "debug.c", "http_ana.c", "pool.c", "fd.c", "activity.c")

#: Structures, unions and typedefs of HAProxy's headers (``*-t.h``), by name. Inner ones without a name come along.
STRUCTURES = (
    # scheduler and threads
    "task", "tasklet", "thread_ctx", "thread_info", "tgroup_ctx", "tgroup_info", "task_per_thread", "ha_caller",
    "activity", "wait_event",
    # trees and lists
    "eb_node", "eb_root", "eb32_node", "eb32sc_node", "eb64_node", "ebpt_node", "ebmb_node", "ceb_node", "ceb_root",
    "list", "mt_list", "buffer",
    # locks, with DEBUG_THREAD
    "ha_spinlock", "ha_rwlock", "ha_spinlock_state", "ha_rwlock_state", "lock_stat",
    # stick-tables and peers
    "stktable", "stksess", "stkctr", "stktable_data", "peers", "peer", "shared_table", "dcache", "per_bucket",
    # proxies, servers, listeners
    "proxy", "proxy_per_tgroup", "server", "srv_per_thread", "srv_per_tgroup", "queue", "listener", "receiver",
    "bind_conf", "be_counters", "fe_counters", "counters_shared", "lbprm",
    # connections and streams
    "stream", "stconn", "sedesc", "stream_interface", "conn_stream", "cs_endpoint", "channel", "session",
    "connection", "appctx", "applet", "http_txn", "http_msg", "pendconn", "hlua", "check", "strm_logs", "mux_ops",
    "xprt_ops", "protocol", "htx", "iobuf", "pipe", "conn_handle", "buffer_wait", "sc_app_ops", "data_cb", "act_rule",
    "action_kw", "strm_flt", "filter", "flt_conf", "h1c", "h1s", "h1m", "h2c", "h2s", "ssl_sock_ctx",
    # memory
    "pool_head", "pool_cache_head", "pool_cache_item", "pool_free_list", "pool_item", "pool_registration",
    # files, rings, the process
    "fdtab", "poller", "global", "ring", "ring_storage", "sink", "post_mortem", "freq_ctr", "freq_ctr_period",
    "build_opts_str", "mworker_proc", "debug_count", "ha_caller", "timeval", "sockaddr_storage",
    "accept_queue_ring", "post_mortem_component",
    "fdtab", "polled_mask", "poller", "global", "ring", "ring_storage", "sink", "post_mortem", "freq_ctr",
    "freq_ctr_period", "build_opts_str", "mworker_proc", "debug_count", "ha_caller", "timeval", "sockaddr_storage",
)  # fmt: skip

#: Enumerations, by name.
ENUMERATIONS = (
    "lock_label", "obj_type", "pr_mode", "li_state", "srv_state", "stktable_data_type", "sc_state", "si_state",
    "peer_app_state", "peer_learn_state", "rw_lock_label", "pr_state", "srv_admin", "sc_flags", "se_flags", "h1_state",
    "h1m_state", "h2_cs", "h2_ss", "term_event_loc",
)  # fmt: skip
