"""The speed of virtual time: events and simulated seconds per second, by size of the swarm, and where the time goes.

Each row is a process of its own. `start_s` is real time until the streams begin; then the run settles for some
simulated seconds, and what follows is measured. `by_part`: shares of the processor's time, from samples of the stack.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import resource
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from swarm.bench.support.host import host_state
from swarm.core.clock import MonotonicClock
from swarm.core.units import ns, seconds
from swarm.telemetry.text_table import text_table

SAMPLE_S = 0.001                     # of processor time
PARTS = {
    "agents.behaviours": "behaviours", "agents.scheduling": "scheduler", "agents.peers": "scheduler",
    "swarm.membership": "membership", "swarm.core.protocol.wire": "codec", "swarm.transport": "transport",
    "swarm.virtual.network": "transport", "sim_worlds": "world", "swarm.virtual.perception": "perception",
    "swarm.planner": "planner", "swarm.telemetry": "figures", "swarm.virtual": "events", "agents": "robot",
}
"""The part of each package; the longest name that fits counts, of the innermost function that has one."""


class Case(msgspec.Struct, frozen=True):
    """One row to measure: a launch file, its size, and the simulated seconds before and in the measurement."""

    launch: str
    robots: int
    settle_s: float
    measured_s: float
    physics: str = ""                # of all robots; empty: as in the launch file

    @property
    def name(self) -> str:
        return f"{self.launch} {self.physics}".strip()


CASES = [
    Case("raspberry_pis", 8, 2.0, 20.0, "dynamic"), Case("raspberry_pis", 8, 2.0, 20.0, "kinematic"),
    Case("raspberry_pis", 100, 2.0, 4.0, "dynamic"), Case("patrol", 8, 10.0, 20.0), Case("patrol", 100, 10.0, 6.0),
]
LARGE = Case("patrol", 1000, 10.0, 2.0)


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--large", action="store_true", help="a swarm of 1,000 robots, too: minutes, and 2 GB")
    p.add_argument("--robots", type=int, metavar="N", help="only the rows of this size")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each case."""
    cases = [*CASES, *([LARGE] if given.large else [])]
    rows = []
    state = host_state()
    for case in cases:
        if given.robots in (None, case.robots):
            progress(f"{case.robots} robots of {case.name}")
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                rows.append(pool.submit(measured, case).result())
    return {"host": state, "rows": rows}


def measured(case: Case) -> dict[str, Any]:
    """Fly one case in this process. Returns its row."""
    from swarm.launcher.load import load_launch
    from swarm.run.settings.resolve import Options
    from swarm.telemetry.recorder import RunFolder
    from swarm.virtual.run import VirtualRun

    duration_s = case.settle_s + case.measured_s + 1.0
    resolved = load_launch(Options(
        launch=case.launch, robots=case.robots, duration_s=duration_s, clock="virtual", ray="none",
        assignments=[f"fleet.{k}.physics={case.physics}" for k in (0, 1) if case.physics]))
    clock = MonotonicClock()
    with tempfile.TemporaryDirectory(prefix="swarm-") as out:
        run = VirtualRun(resolved, RunFolder(Path(out) / "run"))
        timeline = run.timeline
        began_ns = clock.now_ns()
        run.begin()
        while not run.start_ns and run.step():
            pass
        start_s = seconds(clock.now_ns() - began_ns)
        settled_ns = run.start_ns + ns(case.settle_s)
        while timeline.now_ns < settled_ns and run.step():
            pass
        before, from_ns = timeline.happened, clock.now_ns()
        with Sampler() as sampler:
            while timeline.now_ns < settled_ns + ns(case.measured_s) and run.step():
                pass
        took_s, events = seconds(clock.now_ns() - from_ns), timeline.happened - before
        run.close()
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "scenario": case.name, "robots": case.robots, "start_s": round(start_s, 2), "events": events,
        "events_per_s": round(events / took_s), "event_us": round(1e6 * took_s / events, 1),
        "real_time_factor": round(case.measured_s / took_s, 3), "rss_mb": round(rss_mb), "by_part": sampler.shares(),
    }


class Sampler:
    """While entered: looks at the stack each millisecond of processor time."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()
        self._before: Any = None

    def __enter__(self) -> Sampler:
        self._before = signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, self._before)

    def shares(self) -> dict[str, float]:
        """By part, the largest first."""
        total = max(sum(self._counts.values()), 1)
        return {part: round(count / total, 3) for part, count in self._counts.most_common()}

    def _sample(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:
            part = part_of(frame.f_globals.get("__name__", ""))
            if part:
                self._counts[part] += 1
                return
            frame = frame.f_back
        self._counts["other"] += 1


def part_of(module: str) -> str:
    """The part that a module belongs to; empty: none."""
    while module:
        if module in PARTS:
            return PARTS[module]
        module = module.rpartition(".")[0]
    return ""


def as_text(figures: dict[str, Any]) -> str:
    """A table, and a line on each row's parts."""
    rows = [[row["scenario"], str(row["robots"]), f"{row['start_s']:.1f}", str(row["events_per_s"]),
             f"{row['event_us']:.0f}", f"{row['real_time_factor']:.2f}", str(row["rss_mb"])] for row in figures["rows"]]
    table = text_table(["scenario", "robots", "start s", "events/s", "us/event", "x real time", "rss MB"], rows)
    parts = ["  ".join([f"{row['scenario']} {row['robots']}:", *(
        f"{part} {share:.0%}" for part, share in row["by_part"].items())]) for row in figures["rows"]]
    return "\n".join([table.rstrip(), *parts, f"host: {figures['host']}"])
