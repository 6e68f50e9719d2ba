"""Progressive locks (include/import/plock.h): what the word of a lock says. It does not say who holds it.

HA_SPINLOCK_T and HA_RWLOCK_T are one ``unsigned long``, unless HAProxy was built to debug its threads: then
it is the first member of a structure.
"""

from __future__ import annotations

from forensics.record import record

#: 64-bit words: readers count from bit 2, seekers from bit 32, writers from bit 34; bits 0 and 1 are the application's.
_READERS, _SEEKERS, _WRITERS = (2, 30), (32, 2), (34, 30)


@record
class LockWord:
    """The counts of a lock's word.

    A holder of the seek lock (a spin lock is one) counts as a reader too, and a writer as seeker and reader. Whoever
    tries to become a writer or seeker counts for a moment as well: more than one of these means that others wait.
    """

    word: int
    readers: int
    seekers: int
    writers: int

    @property
    def free(self) -> bool:
        """Whether nobody holds it."""
        return not (self.readers or self.seekers or self.writers)

    @property
    def state(self) -> str:
        """``free``, ``write``, ``seek`` (also a spin lock that is held) or ``read``."""
        if self.writers:
            return "write"
        if self.seekers:
            return "seek"
        return "read" if self.readers else "free"

    @property
    def words(self) -> str:
        """For a reader: ``held for writing``, ``held by 3 readers``."""
        if self.writers:
            return "held for writing" if self.writers == 1 else f"held for writing, or {self.writers} threads try to"
        if self.seekers:
            return "held (seek or spin lock)" if self.seekers == 1 else f"{self.seekers} threads hold or seek it"
        if self.readers:
            return f"held by {self.readers} readers" if self.readers > 1 else "held by one reader"
        return "free"


def lock_word(word: int) -> LockWord:
    """A 64-bit word, decoded."""
    readers, seekers, writers = (word >> shift & ((1 << width) - 1) for shift, width in (_READERS, _SEEKERS, _WRITERS))
    return LockWord(word, readers, seekers, writers)
