"""Code of libraries is told from code of HAProxy by the module, or by the sources that glibc's symbols name."""

from __future__ import annotations

import pytest

from forensics.evidence.library import library_of


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("/lib/x86_64-linux-gnu/libc.so.6", "libc"),
        ("libc-2.31.so", "libc"),
        ("libc", "libc"),
        ("/usr/lib/libcrypto.so.3", "libcrypto"),
        ("liblua5.4.so.0", "liblua5"),
        ("/lib64/ld-linux-x86-64.so.2", "ld-linux"),
        ("[vdso]", "vdso"),
        ("linux-vdso.so.1", "vdso"),
        ("linux-vdso", "vdso"),
        ("/usr/sbin/haproxy", ""),
        ("haproxy-3.0", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_module_is_named_without_its_version(module: str | None, library: str) -> None:
    assert library_of(module) == library


@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("../sysdeps/x86_64/multiarch/strlen-avx2.S", "libc"),
        ("./nptl/pthread_kill.c", "libc"),
        ("src/stream.c", ""),
        ("./src/stream.c", ""),
        (None, ""),
    ],
)
def test_sources_of_glibc_are_known(file: str | None, library: str) -> None:
    assert library_of(None, file) == library
