"""What a thread that made no progress was stuck in: told from the functions that the watchdog interrupted.

The watchdog counts CPU time (src/wdt.c), so that a thread which sleeps in a system call is never stuck; one that waits
for a lock of HAProxy's spins, and is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.haproxy.death.record import Stuck
from forensics.names import plain_name
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.frame import Frame, ThreadStack

#: What a thread can be stuck in, and how that is said.
KINDS = {
    "lock": "waiting for a lock",
    "isolation": "waiting for the other threads to stand still",
    "malloc_trim": "giving memory back to the system (malloc_trim)",
    "malloc": "libc's memory allocator",
    "regex": "matching a regular expression",
    "lua": "Lua code",
    "dns": "resolving a name by libc, which waits for an answer",
    "ssl": "the TLS library",
    "map": "changing a map or an ACL by a command on HAProxy's CLI",
    "tree": "a walk through a tree",
    "list": "a walk through a list",
    "cli": "a command that was given on HAProxy's CLI",
    "poller": "the poller",
    "code": "code that did not come back",
}

#: What a thread waits for that another one has.
WAITS = ("lock", "isolation", "malloc_trim", "malloc")

#: Innermost functions that wait: progressive locks (include/import/plock.h), HAProxy's and libc's.
_LOCK = re.compile(
    r"_*pl_(?:wait|take|lorw)|__spin_lock|__ha_(?:rwlock|barrier)|ha_(?:spin|rwlock)_|_*pthread_(?:mutex|rwlock|spin)_\w*lock"
    r"|__lll_lock_wait|_*futex|__GI___lll_lock|hlua_lock"
)
_ISOLATION = re.compile(r"thread_(?:isolate|harmless_|sync_release|resync)|ha_thread_relax")
_TRIM = re.compile(r"_*(?:GI_)?_*(?:libc_)?(?:malloc_trim|mtrim)$|trim_all_pools$|pool_gc$")
_MALLOC = re.compile(
    r"_*(?:GI_)?_*(?:libc_)?(?:malloc|calloc|realloc|free|cfree|memalign|posix_memalign|aligned_alloc)$|_int_(?:malloc|free|realloc)"
    r"|arena_get|systrim|sysmalloc|malloc_consolidate|unlink_chunk|heap_trim|je_|tcache_"
)
_REGEX = re.compile(r"pcre2?_|_pcre|sljit_|_*(?:GI_)?_*regexec|re_search|re_exec|regex_exec|match_regex|sift_states")
_LUA = re.compile(r"lua[A-Z]?_|luaL_|hlua_")
_DNS = re.compile(
    r"_*(?:GI_)?_*(?:getaddrinfo|gethostby\w+|getnameinfo|res_n?(?:query|search|send)|__res_)|gaih_|_nss_|str2ip2?$"
)
_SSL = re.compile(r"SSL_|ssl3?_|tls_|EVP_|OPENSSL_|BN_|RSA_|EC_|CRYPTO_|X509_|ASN1_|qc_(?:ssl|tls)")
_MAP = re.compile(r"pat_ref_|pattern_|cli_(?:parse|io_handler)_\w*(?:map|acl|pat)|pat_idx_")
_TREE = re.compile(r"eb(?:32|64|pt|mb|st|is|im)?(?:32)?(?:sc|i)?_|_*eb_|ceb\w*_")
_LIST = re.compile(r"m?t?_?list_|mt_list|LIST_")
_CLI = re.compile(r"cli_(?:io_handler|parse)_|cli_io_handler$|debug_(?:parse|run)_cli_|stats_dump|hlua_cli_")
_POLLER = re.compile(r"_do_poll$|epoll_p?wait")

#: What runs everything else says nothing (src/task.c, src/haproxy.c).
_SCHEDULER = re.compile(
    r"run_tasks_from_lists$|process_runnable_tasks$|run_(?:thread_)?poll_loop$|main$|start_thread$|clone3?$"
)

#: Libraries whose code is of one kind, whatever its name.
_LIBRARIES = (
    ("lua", re.compile(r"liblua")), ("regex", re.compile(r"libpcre")),
    ("ssl", re.compile(r"lib(?:ssl|crypto|wolfssl|aws-lc)")),
    ("malloc", re.compile(r"lib(?:jemalloc|tcmalloc|mimalloc)")), ("dns", re.compile(r"libnss_|libresolv")),
)  # fmt: skip

#: In this order: a name or library at most so many frames from the innermost one decides.
_RULES: tuple[tuple[str, re.Pattern[str], int], ...] = (
    ("malloc_trim", _TRIM, 12), ("isolation", _ISOLATION, 3), ("regex", _REGEX, 400), ("dns", _DNS, 16),
    ("lua", _LUA, 400), ("malloc", _MALLOC, 5), ("ssl", _SSL, 12), ("tree", _TREE, 2), ("list", _LIST, 2),
    ("map", _MAP, 12), ("cli", _CLI, 400), ("poller", _POLLER, 3),
)  # fmt: skip
#: Frames within which a wait for a lock is the innermost thing that happens.
_WAITING = 3

#: Instructions by which a loop that waits tells the processor so: `pause`; `yield` and `isb`.
_PAUSES = {EM_X86_64: (b"\xf3\x90",), EM_AARCH64: (b"\x3f\x20\x03\xd5", b"\xdf\x3f\x03\xd5")}
#: Bytes around the interrupted instruction in which that is looked for: the loop of pl_wait_unlock_long() has some 60.
_AROUND = 64


def interrupted(stack: ThreadStack) -> tuple[Frame, ...]:
    """The frames that ran when the last signal came, all of them where none did."""
    places = [place for place, frame in enumerate(stack.frames) if frame.function == SIGNAL_HANDLER]
    return stack.frames[places[-1] + 1 :] if places else stack.frames


def stuck_in(process: Process, stack: ThreadStack, *, below: Sequence[Frame] = ()) -> Stuck:
    """What the thread did; ``below`` are the frames that count where no signal handler separates them."""
    frames = tuple(below) or interrupted(stack)
    names = [plain_name(frame.function) for frame in frames]
    files = [frame.module.rsplit("/", 1)[-1] for frame in frames]
    what, function, evidence = _decide(names, files, lambda: _pauses(process, frames))
    return Stuck(what, stack.number, function, evidence)


def stuck_text(stuck: Stuck) -> str:
    """One phrase: which thread, and what it was stuck in."""
    words = KINDS[stuck.what]
    if stuck.what in ("lock", "isolation"):
        words = words.replace("waiting for", "a wait for", 1)
    where = f" ({stuck.function}())" if stuck.function else ""
    return f"thread {stuck.thread} made no progress for seconds, stuck in {words}{where}"


def stuck_by_names(number: int, names: Sequence[str], files: Sequence[str]) -> Stuck:
    """The same from names alone, as a dump in a log has them: those below the signal, innermost first.

    ``names`` are plain, "" where there is none; ``files`` are the names of the libraries, "" for HAProxy itself.
    """
    what, function, evidence = _decide(names, files, lambda: "")
    return Stuck(what, number, function, evidence)


def _decide(names: Sequence[str], files: Sequence[str], pauses: Callable[[], str]) -> tuple[str, str, str]:
    """The word of KINDS, the function that tells, and what shows it."""
    telling = [name for name in names if name and not _SCHEDULER.match(name)]
    innermost = telling[0] if telling else ""
    waiting = next((name for name in names[:_WAITING] if _LOCK.match(name)), "")
    found = _kinds(names, files)
    if waiting:
        arena = next((one for one in found if one[0] in ("malloc_trim", "malloc")), None)
        if arena is not None:
            return arena[0], arena[1], f"{arena[2]}, waiting in {waiting}()"
        caller = next((name for name in telling if not _LOCK.match(name)), waiting)
        return "lock", caller, f"{waiting}() is the innermost function"
    if not found or found[0][0] in ("cli", "map", "poller"):
        loop = pauses()
        if loop:
            return "lock", innermost, loop
    if found:
        return found[0]
    evidence = f"{innermost}() is the innermost function that has a name" if innermost else "no frame has a name"
    return "code", innermost, evidence


def _kinds(names: Sequence[str], files: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each rule that fits: its word, the function, and what shows it."""
    found = []
    for what, shape, most in _RULES:
        place = next((at for at, name in enumerate(names[:most]) if name and shape.match(name)), None)
        if place is not None:
            found.append((what, names[place], f"{names[place]}() on the stack"))
            continue
        library = next((one for word, one in _LIBRARIES if word == what), None)
        inside = next((at for at, file in enumerate(files[:most]) if library and library.match(file)), None)
        if inside is not None:
            found.append((what, names[inside], f"{files[inside]} on the stack"))
    return found


def _pauses(process: Process, frames: Sequence[Frame]) -> str:
    """What shows that the innermost code of HAProxy's is a loop that waits, "" when nothing does."""
    if not frames or not frames[0].pc:
        return ""
    module = process.module_at(frames[0].pc)
    if isinstance(module, Absence) or not module.main:
        return ""
    code = process.code(frames[0].pc - _AROUND, 2 * _AROUND)
    if isinstance(code, bytes) and any(one in code for one in _PAUSES.get(process.core.machine, ())):
        return "the interrupted code is a loop that pauses the processor, as waits for locks are"
    return ""
