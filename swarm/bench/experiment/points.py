"""Experiments to measure with: real points of few robots, and points whose run is empty but leaves as many files."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm.core.clock import MonotonicClock
from swarm.core.settings import yaml_text
from swarm.core.settings.experiment_file import ExperimentFile
from swarm.core.units import seconds
from swarm.experiments.coordinator import Code, Coordinator
from swarm.experiments.experiment import Experiment
from swarm.experiments.store import Store
from swarm.experiments.workers.flight import Flown, Task, fly
from swarm.experiments.workers.local import Fly, LocalWorkers

CODE = Code("bench", "bench")
METRIC = "on_time_ratio"


@dataclass(frozen=True)
class Empty:
    """A run that takes no time, or some, and leaves these files. log: a file that gets a line for each run."""

    files: Mapping[str, bytes]
    lasts_s: float = 0.0
    log: str = ""

    def __call__(self, task: Task) -> Flown:
        if self.log:
            file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(file, f"{task.id}\n".encode())
            os.close(file)
        if self.lasts_s:
            select.select([], [], [], self.lasts_s)
        return Flown(id=task.id, took_s=self.lasts_s, files=dict(self.files))


def experiment(folder: Path, name: str, combinations: int, seeds: int, **settings: Any) -> Experiment:
    """Written and checked. combinations: of two policies and as many rates as that takes."""
    file = ExperimentFile(
        version=1, launch="patrol", set={"robots": 2, "duration_s": 1, "clock": "virtual", **settings},
        axes={"policy": ["local", "greedy"], "streams.0.rate_hz": [1.0 + k / 1000 for k in range(combinations // 2)]},
        seeds=seeds, metrics={METRIC: "higher"})
    path = folder / f"{name}.yaml"
    path.write_text(yaml_text.dump(file), encoding="utf-8")
    made = Experiment(path)
    made.check(lambda text: None)
    return made


def small_run(of: Experiment) -> dict[str, bytes]:
    """The files that the first point of an experiment leaves."""
    point = of.blocks(of.seeds)[0][0]
    flown = fly(Task(id=point.id, resolved=of.launches.of(of.combination(point), point), command="swarm bench"))
    assert not flown.error, flown.error
    return flown.files


def flight_s(of: Experiment, out: Path, jobs: int, fly: Fly = fly) -> float:
    """Fly all points into a new folder. Returns the time without the start of the processes."""
    workers, clock = LocalWorkers(jobs, fly), MonotonicClock()
    blocks = of.blocks([seed + of.file.seeds for seed in of.seeds])          # other seeds, to warm up
    for point in [point for block in blocks for point in block][:jobs]:
        workers.start(Task(id=point.id, resolved=of.launches.of(of.combination(point), point), command="swarm bench"))
    while workers.free < jobs:
        workers.ended(1.0)
    store = Store(out, of.path.read_text(encoding="utf-8"), resume=False)
    try:
        began_ns = clock.now_ns()
        Coordinator(of, store, CODE, told=lambda text: None).fly(lambda: workers)
        took_s = seconds(clock.now_ns() - began_ns)
        assert len(store.ran) == sum(map(len, of.blocks(of.seeds)))
        assert not any(ran.error for ran in store.ran)
    finally:
        store.close()
    return took_s
