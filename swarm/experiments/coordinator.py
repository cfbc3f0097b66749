"""Flies the points of an experiment: hands them to workers, keeps what comes back, and repeats what does not count."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from swarm.core.clock import WallClock
from swarm.experiments.design import analysis
from swarm.experiments.design.sweep import Point, Ran, Sweep, newest_code
from swarm.experiments.design.validity import invalid
from swarm.experiments.experiment import Experiment
from swarm.experiments.store import Store, summary_of
from swarm.experiments.workers.flight import Flown, Task
from swarm.experiments.workers.local import Lost, Workers
from swarm.experiments.workers.real_host import this_host

LOOK_S = 0.2                         # between two looks at the user's wishes


class Code(NamedTuple):
    """Of this installation: the hash of all of it, and the commit of its checkout."""

    hash: str
    revision: str


class Coordinator:
    """One experiment that runs. stopped: whether the user has asked for the end. told: of the progress."""

    def __init__(
        self, experiment: Experiment, store: Store, code: Code, *, told: Callable[[str], None],
        stopped: Callable[[], bool] = lambda: False, kept: Callable[[Ran], bool] = lambda ran: True,
    ) -> None:
        self._experiment, self._store, self._code = experiment, store, code
        self._told, self._stopped = told, stopped
        self._clock = WallClock()
        real = experiment.clock == "real"
        self._host = this_host() if real else ""
        self.sweep = Sweep(
            [], [ran for ran in newest_code(store.ran) if kept(ran)],
            repeats=experiment.file.repeats if real else 0,          # virtual runs would be the same
            elsewhere=lambda ran: ran.host != self._host)
        self._flying: dict[str, Point] = {}
        self._flown = self._planned = 0
        self.added = 0                               # seeds that a stopping rule has added

    def fly(self, make: Callable[[], Workers]) -> None:
        """Fly all that has not been flown, and the seeds that a stopping rule asks for. make: the workers, if any is
        needed.
        """
        experiment, seeds = self._experiment, self._experiment.seeds
        stop, rule = experiment.file.stop_when, experiment.rule()
        self.sweep.add(experiment.blocks(seeds))
        workers: Workers | None = None
        try:
            while True:
                if self.sweep.left and not self._stopped():
                    workers = workers or make()
                    self._fly(workers)
                if stop is None or rule is None or self._stopped():
                    return
                rows = experiment.rows(self.sweep, self._store)
                more = analysis.more_seeds(
                    rows, experiment.arms, stop.metric, experiment.file.metrics[stop.metric], rule)
                more = min(more, rule.most - len(seeds))     # seeds without a result that counts are seeds, too
                if more <= 0:
                    return
                self.added += more
                added = list(range(seeds[-1] + 1, seeds[-1] + 1 + more))
                self.sweep.add(experiment.blocks(added))
                seeds += added
        finally:
            if workers is not None:
                workers.close()

    def _fly(self, workers: Workers) -> None:
        """Fly what waits, and what these runs call for."""
        self._planned = self._flown + self.sweep.left
        while not self._stopped():
            while workers.free and (point := self.sweep.next()) is not None:
                self._flying[point.id] = point
                workers.start(Task(
                    id=point.id, command=self._experiment.launches.command(point),
                    resolved=self._experiment.launches.of(self._experiment.combination(point), point)))
            if not self._flying:
                return
            for ended in workers.ended(LOOK_S):
                self._take(ended)
            self._told(f"{self._flown} of {max(self._planned, self._flown + len(self._flying) + self.sweep.left)} runs")

    def _take(self, ended: Flown | Lost) -> None:
        point = self._flying.pop(ended.id)
        if isinstance(ended, Lost):
            if not self.sweep.lost(ended.id):
                self._record(Ran(id=ended.id, took_s=0.0, error=ended.why))
            return
        if ended.trouble:
            raise OSError(0, ended.error)
        self._flown += 1
        self._store.keep(point.id, ended.files)
        summary = None if ended.error else summary_of(self._store.folder(point.id))
        if summary is None:
            self._record(Ran(id=point.id, took_s=ended.took_s, error=ended.error or "it wrote no summary"))
        else:
            self._record(Ran(id=point.id, took_s=ended.took_s, invalid=invalid(summary),
                             values=self._experiment.values(summary)))

    def _record(self, ran: Ran) -> None:
        ran = msgspec.structs.replace(
            ran, round=self.sweep.round(ran.id), ended_at=round(self._clock.unix_s(), 3), host=self._host,
            code=self._code.hash, revision=self._code.revision)
        self._store.record(ran)
        self.sweep.ended(ran)
