"""The resident memory of this process, and giving back to the system what was freed."""

from __future__ import annotations

import ctypes
import sys

import psutil


def resident_bytes() -> int:
    """Resident memory of this process."""
    return psutil.Process().memory_info().rss


def trim() -> None:
    """Give freed memory back to the system: glibc keeps it otherwise. Other C libraries decide themselves.

    Another thread that allocates meanwhile may wait for it.
    """
    if sys.platform == "linux":
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if release is not None:
            release(0)
