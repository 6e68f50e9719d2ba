"""How a process died, as one record."""

from __future__ import annotations

from forensics.record import record


@record
class Stuck:
    """What a thread was stuck in.

    ``what`` is one word of ``stuck.KINDS``; ``thread`` is HAProxy's number of it, from 1; ``function`` the innermost
    one of HAProxy's or of a library that tells, "" where none has a name; ``evidence`` says what decided.
    """

    what: str
    thread: int
    function: str = ""
    evidence: str = ""


@record
class Stall:
    """Why the watchdog struck.

    ``stuck`` is the thread that made no progress; ``number`` counts those that were marked as stuck (0: not known),
    ``marked_by`` says where that was read. ``suspects`` are the numbers of other threads that were busy, and so may
    hold what the stuck one waits for; ``victim`` says that it waits for something that another one has.
    ``trust`` is that of ``number``, as facts have it.
    """

    stuck: Stuck
    number: int = 0
    marked_by: str = ""
    victim: bool = False
    suspects: tuple[int, ...] = ()
    trust: str = "read"


@record
class PoolDamage:
    """What a report of a damaged pool says: of which pool, who freed the object before, and who frees it now.

    Each is "" where it is not told. HAProxy merges pools of one size, so that the name is that of the first of them.
    """

    pool: str = ""
    first_free: str = ""
    second_free: str = ""
    reason: str = ""


@record
class Death:
    """How the process died.

    ``kind`` as in the report's ``crash.kind``; ``condition``, ``file``, ``line`` and
    ``sentence`` of the assertion where one fired; ``file`` and ``line`` of the faulting
    code otherwise (DWARF). ``evidence`` says in words what decided. ``told_by`` names what told
    the assertion; ``candidates`` are the sentences one of which it was, where that is not certain;
    ``contradiction`` says what else tells of another one. ``command`` is the `debug dev` command behind it,
    ``commanded_by`` what tells that. ``message`` is what the process or a library said last, as memory keeps it,
    ``message_from`` where it was kept, at ``message_at``. ``sent_by_itself`` marks a signal of the
    process's own.
    """

    kind: str
    condition: str = ""
    file: str = ""
    line: int = 0
    sentence: str = ""
    explanation: str = ""
    evidence: str = ""
    command: str = ""
    told_by: str = ""
    candidates: tuple[str, ...] = ()
    contradiction: str = ""
    commanded_by: str = ""
    message: str = ""
    message_from: str = ""
    message_at: int = 0
    stall: Stall | None = None
    pool: PoolDamage | None = None
    sent_by_itself: bool = False
