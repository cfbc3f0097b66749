"""Whether this host is quiet: nobody else uses its cores, and they run at one speed."""

from __future__ import annotations

import re
from pathlib import Path

from swarm.core.clock import MonotonicClock

PRESSURE = Path("/proc/pressure/cpu")
MOST_PRESSURE = 5.0                  # percent of the last minute in which somebody waited for a core
LOOPS, TURNS = 12, 200_000
SPREAD = 1.05                        # of the median loop over the fastest one


def host_state() -> str:
    """`quiet` or `shared`. Takes some tenths of a second; call it before a measurement starts."""
    return "quiet" if pressure() < MOST_PRESSURE and _is_even() else "shared"


def pressure() -> float:
    """`some avg60` of the processor's pressure stall information; 0 where the kernel has none."""
    try:
        found = re.search(r"some .*avg60=([0-9.]+)", PRESSURE.read_text())
    except OSError:
        return 0.0
    return float(found[1]) if found else 0.0


def _is_even() -> bool:
    """Whether a fixed loop takes the same time again and again."""
    clock, took = MonotonicClock(), list[int]()
    for _ in range(LOOPS):
        began = clock.now_ns()
        for _ in range(TURNS):
            pass
        took.append(clock.now_ns() - began)
    took.sort()
    return took[LOOPS // 2] <= SPREAD * took[0]
