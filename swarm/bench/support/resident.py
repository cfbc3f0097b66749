"""How much memory the processes of a run hold, looked at from outside while it runs; each start of one by itself."""

from __future__ import annotations

import json
import statistics
import threading
from pathlib import Path

import psutil

from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds

EVERY_S = 0.5
SPAN_S = 3.0                         # of the looks that are taken together, at either end
ROLES = ("agent", "planner", "world")


class Resident:
    """Looks at the processes that `processes.json` lists, which may not be there yet.

    warm_up_s: after a process's first look. Until then it loads its models, and in stages too when it first needs that.
    """

    def __init__(self, listed: Path, warm_up_s: float) -> None:
        self._listed, self._warm_up_s = listed, warm_up_s
        self._clock = MonotonicClock()
        self._rest = threading.Event()
        self._looks: dict[int, list[tuple[float, int]]] = {}     # pid -> (when, bytes)
        self._names: dict[int, str] = {}

    def wait(self) -> None:
        """Until the next look is due."""
        self._rest.wait(EVERY_S)

    def look(self) -> None:
        """Once, at all that are alive."""
        now_s = seconds(self._clock.now_ns())
        for pid, name in self._alive().items():
            try:
                held = psutil.Process(pid).memory_info().rss
            except psutil.NoSuchProcess:
                continue                             # it has ended meanwhile
            self._names[pid] = name
            if held:                                 # a zombie holds nothing
                self._looks.setdefault(pid, []).append((now_s, held))

    def growth_pct(self) -> dict[str, float]:
        """By how much those that were there at the end have grown since their warm-up; the young are left out."""
        last_s = max((looks[-1][0] for looks in self._looks.values()), default=0.0)
        return {self._names[pid]: round(growth, 2) for pid, looks in self._looks.items()
                if looks[-1][0] >= last_s - 2 * SPAN_S and (growth := _growth_pct(looks, self._warm_up_s)) is not None}

    def _alive(self) -> dict[int, str]:
        try:
            table = json.loads(self._listed.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}                                # not yet
        return {p["pid"]: p["name"] for p in table if p["role"] in ROLES and p["returncode"] is None}


def _growth_pct(looks: list[tuple[float, int]], warm_up_s: float) -> float | None:
    first_s, last_s = looks[0][0] + warm_up_s, looks[-1][0]
    before = [held for at_s, held in looks if first_s <= at_s < first_s + SPAN_S]
    after = [held for at_s, held in looks if at_s > last_s - SPAN_S]
    if not before or last_s - SPAN_S < first_s + SPAN_S:
        return None
    return 100.0 * (statistics.median(after) / statistics.median(before) - 1.0)
