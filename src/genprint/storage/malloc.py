"""Memory: what the C library's allocator is told before torch is loaded."""

from __future__ import annotations

import sys


def tune_malloc() -> None:
    """Keeps freed memory: page faults cost convolutions a third of their speed. glibc only, before torch."""
    if sys.platform == "linux":
        import ctypes

        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
            libc.mallopt(-4, 0)  # M_MMAP_MAX
        except (OSError, AttributeError):  # another libc
            return
