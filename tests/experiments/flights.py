"""Flies the points of an experiment in this process, with real runs or with planted ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarm.experiments.experiment import Experiment
from swarm.experiments.session import Ended, Session, Wishes
from swarm.experiments.workers.flight import Flown, Task, fly
from swarm.experiments.workers.local import Fly, Lost


class Here:
    """The port `Workers`. flown: the ids of all points that were flown, in order."""

    def __init__(self, fly: Callable[[Task], Flown | Lost] = fly) -> None:
        self.flown: list[str] = []
        self._fly, self._waiting = fly, list[Task]()

    @property
    def free(self) -> int:
        return int(not self._waiting)

    def start(self, task: Task) -> None:
        self._waiting.append(task)

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        task = self._waiting.pop()
        self.flown.append(task.id)
        return [self._fly(task)]

    def close(self) -> None: ...


def planted(base: dict[str, bytes], value: Callable[[str, int], float]) -> Fly:
    """Runs whose ratio is that of their policy and seed. base: the files of a real run."""
    summary: dict[str, Any] = json.loads(base["summary.json"])

    def fly(task: Task) -> Flown:
        launch = task.resolved.launch
        content = json.dumps({**summary, "on_time_ratio": value(launch.policy, launch.seed)}).encode()
        return Flown(id=task.id, took_s=0.1, files={**base, "summary.json": content})

    return fly


def fly_all(path: Path, out: Path, here: Here | None = None, **wishes: Any) -> tuple[Ended, list[str]]:
    """One command. Returns how it ended, and the points that it flew."""
    here = here or Here()
    session = Session(Experiment(path), out, Wishes(**wishes), lambda text: None, make=lambda: here)
    return session.run(), here.flown
