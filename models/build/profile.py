"""How long a run takes and how much memory a session holds, on this host, with one thread."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.session import Session
from swarm.core.cards import RunTime
from swarm.core.clock import MonotonicClock, seconds

Key = TypeVar("Key")
PAUSE_S = 0.03


def run_times(paths: Mapping[Key, Path], runs: int = 200) -> dict[Key, RunTime]:
    """Run times of several files, interleaved so that the host's moods fall on all alike.

    Runs are paced like those of streams: caches and cores have been idle before each, as they are on a robot.
    """
    sessions = {key: Session(path) for key, path in paths.items()}
    idle = threading.Event()
    draws, clock = np.random.default_rng(7), MonotonicClock()
    took_ms: dict[Key, list[float]] = {key: [] for key in paths}
    for _ in range(runs):
        for key, session in sessions.items():
            inputs = {spec.name: draws.integers(0, 256, spec.shape).astype(spec.dtype) for spec in session.inputs}
            idle.wait(PAUSE_S)
            start_ns = clock.now_ns()
            session.run(inputs)
            took_ms[key].append(seconds(clock.now_ns() - start_ns) * 1e3)
    return {
        key: RunTime(quantiles_ms=np.quantile(took, np.linspace(0, 1, 21)).round(4).tolist(), runs=runs)
        for key, took in took_ms.items()
    }


def memory_bytes(path: Path) -> int:
    """Resident growth of one session after its first run, measured in a process of its own."""
    command = [sys.executable, "-m", "models.build.profile", str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _measure(path: Path) -> int:
    import psutil

    own = psutil.Process()
    before = own.memory_info().rss
    session = Session(path)
    grown = own.memory_info().rss - before
    del session
    return grown


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1])))
