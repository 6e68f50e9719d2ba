#!/bin/sh
# Makes the executables and cores beside this file again: needs aarch64-linux-gnu-gcc, qemu-aarch64-static and zstd.
# signed: pointer authentication, call frame information. untabled: frame pointers only.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
cd "$place"
ulimit -c unlimited
cp "$here/program.c" .
common="-O2 -static -no-pie -nostdlib -ffreestanding -fno-stack-protector -Wl,--build-id=sha1 -Wl,-z,max-page-size=4096"
# gdb 13.1 never ends on the signal frames of a qemu with SME.
make_one() {
	name=$1
	shift
	mkdir "$name"
	aarch64-linux-gnu-gcc $common "$@" -o "$name/program" program.c
	(cd "$name" && qemu-aarch64-static -s 65536 -cpu max,sme=off,sve=off ./program) || true
	zstd -19 -q -f "$name"/qemu_*.core -o "$here/$name.core.zst"
	zstd -19 -q -f "$name/program" -o "$here/$name.zst"
}
make_one signed -mbranch-protection=standard
make_one untabled -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer
rm -r "$place"
