"""Kills the coordinator of an experiment at drawn moments, and resumes it: what is lost, doubled, or run again."""

from __future__ import annotations

import collections
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from swarm.bench.experiment.points import experiment
from swarm.core.clock import MonotonicClock
from swarm.core.policy import draw
from swarm.core.units import seconds
from swarm.experiments.store import JOURNAL, POINTS
from swarm.launcher.supervisor import members

JOBS = 2
LASTS_S = 0.02                       # of an empty run: a kill finds runs in flight
COMBINATIONS, SEEDS = 20, 200        # more than fly until the last kill
STARTS = 0.3                         # share of kills before the first run of a command
FLIES_S = 1.0                        # from there, until the last moment of a kill
LOOK_S = 0.01
PATIENCE_S = 120.0


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """What the kills did. reran: of each kill, the runs that had begun without a line of the journal."""

    kills: int
    in_flight: int                   # kills that found runs in flight
    points: int
    lost_points: int                 # without a result in the end, or without its files
    doubled: int                     # points with two lines in the journal
    reran: list[int]


def killed(kills: int, seed: int, files: Mapping[str, bytes], folder: Path, progress: Callable[[str], None]) -> Killed:
    """Kill so often, at drawn moments: some of the start, as long as the first one took, others while points fly."""
    flight, start_s, reran = _Flight(folder, files), 0.0, list[int]()
    for k in range(kills):
        progress(f"kill {k + 1} of {kills}")
        flight.begin()
        if start_s and draw.uniform(seed, "start", k) < STARTS:
            flight.pass_time(start_s * draw.uniform(seed, "moment", k))
        else:
            start_s = flight.until_a_run()
            flight.pass_time(FLIES_S * draw.uniform(seed, "moment", k))
        reran.append(flight.kill())
    progress("flying the rest")
    flight.begin()
    assert flight.process.wait() == 0
    return flight.outcome(reran)


class _Flight:
    """One experiment, flown by one command after another."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self._experiment = experiment(folder, "killed", COMBINATIONS, SEEDS)
        self._files, self._log, self._out = folder / "files", folder / "log", folder / "killed"
        self._files.mkdir()
        for name, content in files.items():
            (self._files / name).write_bytes(content)
        self._clock, self._again = MonotonicClock(), 0
        self._names = sorted(files)

    def begin(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.killed", str(self._experiment.path), str(self._out),
             str(self._files), str(self._log), str(LASTS_S), str(JOBS)], start_new_session=True)

    def until_a_run(self) -> float:
        """Wait for the first run of this command. Returns the time that it took."""
        began_ns, before = self._clock.now_ns(), _lines(self._log)
        while _lines(self._log) == before:
            if self.process.poll() is not None or seconds(self._clock.now_ns() - began_ns) > PATIENCE_S:
                raise RuntimeError("the experiment does not fly")
            select.select([], [], [], LOOK_S)
        return seconds(self._clock.now_ns() - began_ns)

    def pass_time(self, wait_s: float) -> None:
        """To a moment of the command, or to its end."""
        try:
            self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return

    def kill(self) -> int:
        """Kill the coordinator and wait for its workers' end. Returns the runs that must be done again by that."""
        self.process.kill()
        self.process.wait()
        while members([self.process.pid]):
            select.select([], [], [], LOOK_S)
        before, self._again = self._again, _lines(self._log) - _lines(self._out / JOURNAL)
        return self._again - before

    def outcome(self, reran: list[int]) -> Killed:
        """After the end of the last command."""
        ids = {point.id for block in self._experiment.blocks(self._experiment.seeds) for point in block}
        lines = (self._out / JOURNAL).read_bytes().splitlines()
        ran = collections.Counter(run["id"] for run in map(json.loads, lines) if not run["error"])
        whole = {id for id in ids if ran[id] and sorted(os.listdir(self._out / POINTS / id)) == self._names}
        return Killed(kills=len(reran), in_flight=sum(map(bool, reran)), points=len(ids), lost_points=len(ids - whole),
                      doubled=sum(count > 1 for count in ran.values()), reran=reran)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
