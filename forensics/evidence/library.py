"""Whether code is a library's: the culprit in libc or OpenSSL is another one than HAProxy's function that called it."""

from __future__ import annotations

import re

_LIBRARY = re.compile(
    r"(?:.*/)?(lib[A-Za-z][\w+]{0,63}?|ld-linux|ld-musl|linux-vdso)(?:[-.][\w.-]{0,64})?(?:\.so(?:\.[\d.]{1,16})?)?$"
)
_VDSO = ("[vdso]", "linux-vdso")
#: Directories of glibc's sources, as its debug symbols name them: `../sysdeps/unix/syscall.S`, `./nptl/pthread_kill.c`.
_GLIBC = re.compile(r"(?:\.\./sysdeps|\./(?:csu|elf|io|malloc|misc|nptl|posix|stdlib|string|time))/")


def library_of(module: str | None, file: str | None = None) -> str:
    """The library's name without its version (`libc`, `libcrypto`, `vdso`); "" for code that is no known library's."""
    if module in _VDSO or (module or "").startswith("linux-vdso"):
        return "vdso"
    found = _LIBRARY.match(module) if module else None
    if found:
        return found[1]
    return "libc" if file and _GLIBC.match(file) else ""
