"""The last locks that a thread took and released (3.2 on): eight steps in ``thread_ctx.lock_history``.

Each is one byte, the newest the lowest: ((label + 1) << 2) | what was done (thread.h, since 3.2-dev13). A lock is
recorded once it is taken; OTHER_LOCK never is.
"""

from __future__ import annotations

from collections.abc import Iterable

from forensics.absence import Absence
from forensics.elf.image import ElfImage
from forensics.haproxy.structs import TypedMemory
from forensics.record import record

#: _LK_UN, _LK_RD, _LK_SK, _LK_WR: unlocked, read, seek (spin locks, too), write.
_STEPS = "URSW"
#: enum lock_label (include/haproxy/thread-t.h at 8e0e7d9d1 and 1af592c51; PROXIES_DEL and the lack of EMAIL_ALERTS from
#: the strings of Debian's 3.4.7). gcc leaves an enumeration that only macros use out of DWARF.
_ORDER = (
    "TASK_RQ TASK_WQ LISTENER PROXY SERVER LBPRM SIGNALS STK_TABLE STK_TABLE_UPDT STK_SESS APPLETS PEER SHCTX SSL"
    " SSL_GEN_CERTS PATREF PATEXP VARS COMP_POOL LUA NOTIF SPOE_APPLET DNS PID_LIST EMAIL_ALERTS PIPES TLSKEYS_REF AUTH"
    " RING DICT PROTO QUEUE CKCH SNI SSL_SERVER SFT IDLE_CONNS OCSP QC_CID CACHE GUID PROXIES_DEL OTHER"
    " DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5"
).split()
#: Labels that some releases lack; lock_label() holds the names of all that a build has, as strings of their own.
_OPTIONAL = ("TASK_WQ", "STK_TABLE_UPDT", "SPOE_APPLET", "EMAIL_ALERTS", "PROXIES_DEL")
#: Bytes of constants that are searched; HAProxy has 2 MB.
_LARGEST = 64 << 20


@record
class Step:
    """One step: ``U``, ``R``, ``S`` or ``W``, and the lock's label."""

    step: str
    label: str

    @property
    def words(self) -> str:
        """As HAProxy's dumps write it: ``S:QUEUE``."""
        return f"{self.step}:{self.label}"


def lock_labels(space: TypedMemory) -> dict[int, str]:
    """The names of the labels by number; {} where the build does not tell which it has."""
    declared = space.enumeration("lock_label")
    if declared:
        return {number: name.removesuffix("_LOCK") for number, name in declared.items()}
    module = space.module
    if isinstance(module, Absence):
        return {}
    symbols = space.process.symbols(module)
    kept = symbols.records.records("lock labels")
    if "absent" not in kept:
        image = symbols.files.image
        constants = _constants(image) if image is not None else b""
        if b"\0STK_TABLE\0" not in constants:
            return {}
        kept["absent"] = [one for one in _OPTIONAL if b"\0%b\0" % one.encode() not in constants]
    absent = kept["absent"]
    return dict(enumerate(one for one in _ORDER if one not in absent))


def _constants(image: ElfImage) -> bytes:
    section = image.sections.get(".rodata")
    return image.source.read(section.offset, min(section.size, _LARGEST)) if section is not None else b""


def steps_of(history: int, labels: dict[int, str]) -> tuple[Step, ...]:
    """The steps, oldest first."""
    data = (history & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
    found = []
    for one in data:
        if one >> 2:
            number = (one >> 2) - 1
            found.append(Step(_STEPS[one & 3], labels.get(number, f"label {number}")))
    return tuple(found)


def held_of(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Locks whose newest step is no release: the thread holds them still, as far as eight steps tell."""
    newest = {one.label: one for one in steps}
    return tuple(one for one in newest.values() if one.step != "U")
