"""Memory: what the C library's allocator is told before networks are trained."""

from __future__ import annotations

import sys


def tune_malloc() -> None:
    """Keeps freed memory: a training step frees and asks for hundreds of MB; page faults cost it a tenth of its speed.

    glibc only. The process keeps the most memory that it ever had. Fingerprinting does without: its passes are so small
    that they cause no page faults.
    """
    if sys.platform == "linux":
        import ctypes

        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
            libc.mallopt(-4, 0)  # M_MMAP_MAX
        except (OSError, AttributeError):  # another libc
            return
