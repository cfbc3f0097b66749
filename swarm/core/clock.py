"""Time. Nothing else in the project reads a clock."""

from __future__ import annotations

import os
import time


class MonotonicClock:
    """The operating system's monotonic clock."""

    def now_ns(self) -> int:
        return time.monotonic_ns()


class ThreadClock:
    """The processor time of the thread that asks: it does not go on while other processes have the core."""

    def now_ns(self) -> int:
        return time.thread_time_ns()


class WallClock:
    """The date, for records that people read and for boot numbers; never for deadlines.

    step_s: an injected error of the clock.
    """

    def __init__(self, step_s: float = 0.0) -> None:
        self.step_s = step_s

    def unix_s(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.step_s

    def new_boot(self) -> int:
        """A number that distinguishes this start of a process from others: microseconds since 1970."""
        return max(0, time.time_ns() // 1_000 + round(self.step_s * 1e6))


def local_stamp() -> str:
    """The local date and time as YYYYMMDD-HHMMSS, for names of files."""
    return time.strftime("%Y%m%d-%H%M%S")


def local_time() -> str:
    """The local date and time as YYYY-MM-DD HH:MM:SS, for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def process_age_s() -> float:
    """Seconds since this process was started by the operating system."""
    with open("/proc/self/stat") as stat:
        started_ticks = int(stat.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
