"""A small program with HAProxy's ways to assert, in C of our own, for both machines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

COMPILERS = {"x86-64": shutil.which("cc"), "aarch64": shutil.which("aarch64-linux-gnu-gcc")}
STRIPS = {"x86-64": shutil.which("strip"), "aarch64": shutil.which("aarch64-linux-gnu-strip")}

#: As include/haproxy/bug.h lays it out: entries of a section that code counts in, and a sentence that is printed.
#: With FOLD the compiler may merge crashes. With ENTRY_ONLY the sentence is put together from the entry, as since 3.5-dev5.
SOURCE = r"""
#include <stdio.h>
#include <stdint.h>
struct debug_count { const char *file, *func, *desc; uint16_t line; uint8_t type, details; uint32_t count; };
extern struct debug_count __start_dbg_cnt, __stop_dbg_cnt;
static volatile int sink;
__attribute__((noinline)) void complain(const void *text) { fputs(text, stderr); sink++; }
#define STR2(x) #x
#define STR(x) STR2(x)
#ifdef FOLD
#define DIE() __builtin_trap()
#elif defined(__aarch64__)
#define DIE() do { __asm__ volatile(".byte 0,0,0,0"); __asm__ volatile("" :: "i"(__LINE__)); \
	__builtin_unreachable(); } while (0)
#else
#define DIE() do { __asm__ volatile(".byte 0x0f,0x0b"); __asm__ volatile("" :: "i"(__LINE__)); \
	__builtin_unreachable(); } while (0)
#endif
#define COUNT(cond, where, n, kind) \
	static struct debug_count cnt __attribute__((used, section("dbg_cnt"), aligned(8))) = \
		{ where, __func__, DESC(cond), n, kind, 0, 0 }; \
	__atomic_fetch_add(&cnt.count, 1, __ATOMIC_RELAXED)
#ifdef ENTRY_ONLY
#define DESC(cond) #cond "\x1e" "why " #cond
#define SAY(pfx, cond, where, n) complain(&cnt)
#else
#define DESC(cond) "\"" #cond "\" [why " #cond "]"
#define SAY(pfx, cond, where, n) complain("\n" pfx "condition \"" #cond "\" matched at " where ":" STR(n) "\n")
#endif
#define BUG_ON(cond, where, n) do { if (__builtin_expect(!!(cond), 0)) { \
	COUNT(cond, where, n, 0); SAY("FATAL: bug ", cond, where, n); DIE(); } } while (0)
#define WARN_ON(cond, where, n) do { if (__builtin_expect(!!(cond), 0)) { \
	COUNT(cond, where, n, 0); SAY("WARNING: warn ", cond, where, n); } } while (0)
#define COUNT_IF(cond, where, n) do { if (cond) { COUNT(cond, where, n, 2); } } while (0)
#define HIDDEN static __attribute__((noinline, noclone))
HIDDEN int first(int n) { COUNT_IF(n & 1, "src/one.c", 10); BUG_ON(n > 3, "src/one.c", 11); return n * sink; }
HIDDEN int second(int n) { WARN_ON(n == 2, "src/two.c", 20); BUG_ON(n < -3, "src/two.c", 21); return n + sink; }
HIDDEN int mixed(int n) { BUG_ON(n == 5, "src/one.c", 30); BUG_ON(n == 6, "src/two.c", 31); return n - sink; }
HIDDEN int header(int n) { BUG_ON(n == 7, "include/haproxy/x.h", 40); return n ^ sink; }
HIDDEN int bare(int n) { if (n == 8) DIE(); return n | sink; }
HIDDEN int late(int n) { WARN_ON(n == 9, "src/three.c", 50); if (n > 8) DIE(); return n | sink; }
int exported(int n) { return first(n) + second(n + 1) + mixed(n + 2) + header(n + 3) + bare(n + 4) + late(n + 5); }
int main(int argc, char **argv)
{
	struct debug_count *one;
	int number = 0;
	for (one = &__start_dbg_cnt; one < &__stop_dbg_cnt; one++)
		number += one->count;
	return exported(argc > 1 ? argv[1][0] - '0' : argc) + number;
}
"""


def build(folder: Path, machine: str, *flags: str) -> Path:
    """The program for ``machine``, with its symbols; skips where no compiler for it is installed."""
    compiler = COMPILERS[machine]
    if not compiler:
        pytest.skip(f"no compiler for {machine} is installed")
    (folder / "sample.c").write_text(SOURCE)
    command = [compiler, "-O2", "-rdynamic", *flags, "-o", "sample", "sample.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder / "sample"


def strip(program: Path, machine: str) -> Path:
    """A copy of which only the exported names are left."""
    tool = STRIPS[machine]
    if not tool:
        pytest.skip(f"no strip for {machine} is installed")
    copy = program.with_suffix(".stripped")
    subprocess.run([tool, "--strip-all", "-o", copy, program], check=True, timeout=60)
    return copy
