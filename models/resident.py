"""The resident memory of this process, and giving back to the system what was freed."""

from __future__ import annotations

import ctypes
import sys

import psutil


def resident_bytes() -> int:
    """Resident memory of this process."""
    return psutil.Process().memory_info().rss


M_MMAP_THRESHOLD, OWN_PIECE_BYTES = -3, 256 << 10
"""Of `mallopt`. Without a fixed threshold the first free of weights raises it beyond them, and the heap is torn: after
120 loads and unloads of the segmenter, each in a thread, 77 to 84 MiB were resident without it, 66 to 67 with it; runs
take as long (ratio 1.00 and 1.02 of medians in 60 interleaved pairs)."""


def keep_weights_apart() -> None:
    """From now on, large pieces of memory are of the system, and go back to it when they are freed: with glibc only."""
    if sys.platform == "linux":
        option = getattr(ctypes.CDLL(None), "mallopt", None)
        if option is not None:
            option(M_MMAP_THRESHOLD, OWN_PIECE_BYTES)


def trim() -> None:
    """Give freed memory back to the system: glibc keeps it otherwise. Other C libraries decide themselves.

    Another thread that allocates meanwhile may wait for it.
    """
    if sys.platform == "linux":
        release = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if release is not None:
            release(0)
