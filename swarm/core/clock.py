"""Time. Nothing else in the project reads a clock."""

from __future__ import annotations

import os
import time
from typing import Protocol

NS = 1_000_000_000
NEVER_NS = 1 << 62                   # later than any time


def ns(seconds: float) -> int:
    """Seconds to integer nanoseconds."""
    return round(seconds * NS)


def seconds(nanoseconds: int) -> float:
    """Integer nanoseconds to seconds."""
    return nanoseconds / NS


class Clock(Protocol):
    """A monotonic clock with an arbitrary zero, one per robot: its readings never travel, only differences do."""

    def now_ns(self) -> int: ...


class MonotonicClock:
    """The operating system's monotonic clock."""

    def now_ns(self) -> int:
        return time.monotonic_ns()


class FakeClock:
    """A clock that stands until it is told to advance."""

    def __init__(self, at_ns: int = 0) -> None:
        self.at_ns = at_ns

    def now_ns(self) -> int:
        return self.at_ns

    def advance(self, by_s: float) -> int:
        self.at_ns += ns(by_s)
        return self.at_ns


_wall_step_s = 0.0


def set_wall_step(step_s: float) -> None:
    """Have this process's wall clock be off by so much from now on: an injected fault. Deadlines know nothing of it."""
    global _wall_step_s
    _wall_step_s = step_s


def unix_s() -> float:
    """Seconds since 1970, for records that people read; never for deadlines."""
    return time.time() + _wall_step_s


def local_stamp() -> str:
    """The local date and time as YYYYMMDD-HHMMSS, for names of files."""
    return time.strftime("%Y%m%d-%H%M%S")


def new_boot() -> int:
    """A number that tells one start of a process from the next: microseconds since 1970."""
    return max(0, time.time_ns() // 1_000 + round(_wall_step_s * 1e6))


def process_age_s() -> float:
    """Seconds since this process was started by the operating system."""
    with open("/proc/self/stat") as stat:
        started_ticks = int(stat.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
