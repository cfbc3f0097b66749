"""The load of Ray while it waits for work: a local one, as the planner's refiner starts it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from swarm import cluster, ray_processes
from swarm.core.clock import MonotonicClock
from swarm.core.settings import validation
from swarm.core.settings.errors import BadInput
from swarm.core.units import seconds

NEEDS = ("ray",)
SECONDS = 20.0
CALL_S = 60.0                        # for the processes that are called to start


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--seconds", type=float, metavar="S", default=SECONDS, help=f"to measure; default: {SECONDS:g}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput for a number out of range, or if Ray cannot be started."""
    if not 1.0 <= given.seconds <= 3600.0:
        raise BadInput("--seconds", validation.shown(given.seconds), "from 1 to 3600")
    clock = MonotonicClock()
    progress("starting Ray")
    begun = clock.now_ns()
    cluster.join("local")
    try:
        start_s = seconds(clock.now_ns() - begun)
        cluster.map(called, range(cluster.CPUS), CALL_S)             # its processes for calls are there from now on
        processes = ray_processes.started()
        progress(f"idle for {given.seconds:g} s")
        before_s, begun = _cpu_s(processes), clock.now_ns()
        psutil.cpu_percent(interval=given.seconds)
        cpu = (_cpu_s(processes) - before_s) / seconds(clock.now_ns() - begun)
        return {"start_s": round(start_s, 1), "seconds": given.seconds, "processes": len(processes),
                "cpu_percent": round(100.0 * cpu, 1), "memory_mb": round(_memory_bytes(processes) / 1e6)}
    finally:
        cluster.disconnect()


def called(number: int) -> int:
    """A call on Ray."""
    return number


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    total_s = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s


def _memory_bytes(processes: Sequence[psutil.Process]) -> int:
    """What they have alone, and their shares of what they share (PSS)."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total


def as_text(figures: dict[str, Any]) -> str:
    return (f"Ray starts in {figures['start_s']:g} s; then {figures['processes']} processes wait: "
            f"{figures['cpu_percent']:g} % of a core, {figures['memory_mb']} MB\n")
