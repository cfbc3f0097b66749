"""Watches the agents of a rig from outside: their requests, and how long each is away."""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

from swarm.bench.deploy.boards import Board
from swarm.core.clock import MonotonicClock

LOOK_S = 0.1


class Watch:
    """Samples every agent until `close`. Times are nanoseconds of this machine's clock."""

    def __init__(self, boards: dict[str, Board]) -> None:
        self._boards, self._clock = boards, MonotonicClock()
        self._pids = {name: board.pid() for name, board in boards.items()}
        self.samples: dict[str, list[tuple[int, dict[str, Any]]]] = {name: [] for name in boards}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def _run(self) -> None:
        while not self._end.wait(LOOK_S):
            for name in self._boards:
                state = agent_state(self._pids[name])
                known = self.samples[name]
                if state and (not known or state != known[-1][1]):
                    known.append((self._clock.now_ns(), state))

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def on_time(self, begin_ns: int, end_ns: int, away: dict[str, tuple[int, int]] | None = None) -> tuple[int, int]:
        """Requests in time, and all that ended, between two times. away: when each board was in its own wave."""
        in_time = total = 0
        for name, samples in self.samples.items():
            off = (away or {}).get(name)
            inside = [(at, one) for at, one in samples if begin_ns <= at <= end_ns]
            for (_, before), (at, after) in pairwise(inside):
                if before["pid"] == after["pid"] and not (off and off[0] <= at <= off[1]):
                    in_time += after["in_time"] - before["in_time"]
                    total += after["total"] - before["total"]
        return in_time, total

    def outages_s(self) -> dict[str, list[float]]:
        """How long each board gave no result in time around each restart of its agent."""
        found: dict[str, list[float]] = {name: [] for name in self.samples}
        for name, samples in self.samples.items():
            last_ns, pid, waiting = 0, 0, False
            for (_, before), (at, after) in pairwise(samples):
                if before["pid"] != after["pid"]:
                    pid, waiting = after["pid"], True
                grew = after["in_time"] > (before["in_time"] if before["pid"] == after["pid"] else 0)
                if grew and waiting and after["pid"] == pid and last_ns:
                    found[name].append((at - last_ns) / 1e9)
                    waiting = False
                if grew:
                    last_ns = at
        return found

    def lost(self) -> int:
        """Requests that were open when their agent ended."""
        return sum(before["open"] for samples in self.samples.values()
                   for (_, before), (_, after) in pairwise(samples)
                   if before["pid"] != after["pid"])


def agent_state(pid: int) -> dict[str, Any]:
    """The state that the agent of a board wrote last; empty: none. pid: of the board's systemd."""
    try:
        found = json.loads(Path(f"/proc/{pid}/root/run/swarm/agent.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
