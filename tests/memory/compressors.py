"""The five compressions that an input may have, as functions on bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable

import lz4.frame
import zstandard

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    "zstd of unknown size": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data),
    "gzip": lambda data: gzip.compress(data, compresslevel=1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "lz4": lz4.frame.compress,
    "bzip2": lambda data: bz2.compress(data, compresslevel=1),
}
