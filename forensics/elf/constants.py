"""Numbers of the ELF specification (gABI), of Linux cores and of siginfo."""

from __future__ import annotations

MAGIC = b"\x7fELF"
CLASS_32, CLASS_64 = 1, 2
LITTLE_ENDIAN, BIG_ENDIAN = 1, 2
ET_EXEC, ET_DYN, ET_CORE = 2, 3, 4
EM_386, EM_MIPS, EM_PPC64, EM_S390, EM_ARM, EM_X86_64, EM_AARCH64, EM_RISCV, EM_LOONGARCH = (
    3,
    8,
    21,
    22,
    40,
    62,
    183,
    243,
    258,
)

#: Machines that cores come from, for messages.
MACHINES = {
    EM_386: "32-bit x86",
    EM_MIPS: "MIPS",
    20: "PowerPC",
    EM_PPC64: "64-bit PowerPC",
    EM_S390: "S/390",
    EM_ARM: "32-bit ARM",
    EM_X86_64: "x86-64",
    EM_AARCH64: "aarch64",
    EM_RISCV: "RISC-V",
    EM_LOONGARCH: "LoongArch",
}

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 1, 2, 3, 4, 6
PT_GNU_EH_FRAME = 0x6474E550
PF_X, PF_W = 1, 2
#: e_phnum when the real number stands in sh_info of section 0 (more than 65,534 segments).
PN_XNUM = 0xFFFF

SHT_SYMTAB, SHT_NOBITS, SHT_DYNSYM = 2, 8, 11
SHF_COMPRESSED = 0x800
ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD = 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 6, 10

NT_PRSTATUS, NT_PRPSINFO, NT_AUXV = 1, 3, 6
NT_SIGINFO, NT_FILE = 0x53494749, 0x46494C45
#: Owner LINUX: struct user_pac_mask (arm64's asm/ptrace.h), the bits of pointers that hold authentication codes.
NT_ARM_PAC_MASK = 0x406
#: Owner LINUX: TPIDR_EL0, the thread pointer (arm64's REGSET_TLS, kernel/ptrace.c).
NT_ARM_TLS = 0x401
NT_GNU_BUILD_ID = 3

#: Tags of PT_DYNAMIC (gABI, figure 5-10; the hash is GNU's).
DT_NULL, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME, DT_DEBUG = 0, 4, 5, 6, 10, 14, 21
DT_GNU_HASH = 0x6FFFFEF5

AT_PHDR, AT_PHENT, AT_PHNUM, AT_ENTRY, AT_EXECFN, AT_SYSINFO_EHDR = 3, 4, 5, 9, 31, 33

#: Linux signal numbers (x86 and ARM).
SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
    16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 23: "SIGURG", 24: "SIGXCPU",
    25: "SIGXFSZ", 31: "SIGSYS",
}  # fmt: skip

#: si_code values below 1: who sent the signal (asm-generic/siginfo.h); 128 is the kernel's own.
SENT_BY = {
    0: "SI_USER", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ", -4: "SI_ASYNCIO", -5: "SI_SIGIO", -6: "SI_TKILL",
    128: "SI_KERNEL",
}  # fmt: skip

#: si_code values above 0, by signal.
FAULTS = {
    4: {1: "ILL_ILLOPC", 2: "ILL_ILLOPN", 3: "ILL_ILLADR", 4: "ILL_ILLTRP", 5: "ILL_PRVOPC", 8: "ILL_BADSTK"},
    5: {1: "TRAP_BRKPT", 2: "TRAP_TRACE", 3: "TRAP_BRANCH", 4: "TRAP_HWBKPT"},
    7: {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR", 4: "BUS_MCEERR_AR", 5: "BUS_MCEERR_AO"},
    8: {1: "FPE_INTDIV", 2: "FPE_INTOVF", 3: "FPE_FLTDIV"},
    11: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR", 3: "SEGV_BNDERR", 4: "SEGV_PKUERR", 9: "SEGV_MTESERR", 10: "SEGV_CPERR"},
    31: {1: "SYS_SECCOMP", 2: "SYS_USER_DISPATCH"},
}


def signal_name(number: int) -> str:
    """``SIGSEGV`` for 11; ``signal 77`` for a number that Linux does not name."""
    return SIGNALS.get(number, f"signal {number}")


def signal_code_name(number: int, code: int) -> str:
    """``SEGV_MAPERR`` for code 1 of SIGSEGV; the number itself when nothing names it."""
    if code in SENT_BY:
        return SENT_BY[code]
    return FAULTS.get(number, {}).get(code, str(code))
