"""Samples the resident memory of a run's processes while it runs; each start of a process is separate."""

from __future__ import annotations

import json
import statistics
import threading
from pathlib import Path

import psutil

from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds

EVERY_S = 0.5
SPAN_S = 3.0                         # samples of the first and last so many seconds are combined
ROLES = ("agent", "planner", "world")


class Resident:
    """Samples the processes that `processes.json` lists. The file may not exist yet.

    warm_up_s: time after a process's first sample in which it loads its models and their stages.
    """

    def __init__(self, listed: Path, warm_up_s: float) -> None:
        self._listed, self._warm_up_s = listed, warm_up_s
        self._clock = MonotonicClock()
        self._never = threading.Event()
        self._samples: dict[int, list[tuple[float, int]]] = {}     # pid -> (time, bytes)
        self._names: dict[int, str] = {}

    def wait(self) -> None:
        """Wait until the next sample is due."""
        self._never.wait(EVERY_S)

    def sample(self) -> None:
        """Sample all processes that are alive."""
        now_s = seconds(self._clock.now_ns())
        for pid, name in self._alive().items():
            try:
                held = psutil.Process(pid).memory_info().rss
            except psutil.NoSuchProcess:
                continue                             # it has just ended
            self._names[pid] = name
            if held:                                 # a zombie holds nothing
                self._samples.setdefault(pid, []).append((now_s, held))

    def growth_pct(self) -> dict[str, float]:
        """Growth since the warm-up of the processes alive at the end, by name; young processes are left out."""
        last_s = max((samples[-1][0] for samples in self._samples.values()), default=0.0)
        alive = {pid: samples for pid, samples in self._samples.items() if samples[-1][0] >= last_s - 2 * SPAN_S}
        return {self._names[pid]: round(growth, 2) for pid, samples in alive.items()
                if (growth := _growth_pct(samples, self._warm_up_s)) is not None}

    def _alive(self) -> dict[int, str]:
        try:
            table = json.loads(self._listed.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}                                # not written yet
        return {p["pid"]: p["name"] for p in table if p["role"] in ROLES and p["returncode"] is None}


def _growth_pct(samples: list[tuple[float, int]], warm_up_s: float) -> float | None:
    first_s, last_s = samples[0][0] + warm_up_s, samples[-1][0]
    before = [held for at_s, held in samples if first_s <= at_s < first_s + SPAN_S]
    after = [held for at_s, held in samples if at_s > last_s - SPAN_S]
    if not before or last_s - SPAN_S < first_s + SPAN_S:
        return None
    return 100.0 * (statistics.median(after) / statistics.median(before) - 1.0)
