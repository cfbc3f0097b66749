"""An experiment: its file, checked, with all its points, and the results of those that have run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from swarm import settings_files
from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import ExperimentFile
from swarm.experiments.design import analysis, contrasts, points
from swarm.experiments.design.figures import is_cut, value_of
from swarm.experiments.design.points import Combination
from swarm.experiments.design.rows import NOT_RUN, PointRow, Results, is_name
from swarm.experiments.design.sweep import Point, Ran, Sweep
from swarm.experiments.launches import Launches
from swarm.experiments.results.figures.check import Facts
from swarm.experiments.results.words import count
from swarm.experiments.statistics.stopping import StopWhen
from swarm.experiments.store import POINTS, Folder, summary_of
from swarm.launcher.load import Installed
from swarm.telemetry.accept import resolved_key

MOST_FIRST_SEED = 2**62              # all others, and those of a control, follow it
OUT_OF_BLOCK = "another run of its block does not count"


class Experiment:
    """Raises: BadInput for a file that makes no sense; `check` says whether every point can run."""

    def __init__(self, path: Path) -> None:
        self.path, where = path, str(path)
        self.name = path.stem
        if not is_name(self.name):
            raise BadInput(where, "its name is no name of an experiment", "NAME.yaml: UTF-8, with a letter, no \\")
        self.file = settings_files.read(path, ExperimentFile)
        self.combinations = points.combinations(self.file, where)
        self.compared = points.compared_axis(self.file, where)
        self.arms = points.arms_of(self.file, self.combinations, where)
        self.axes = points.axes_of(self.file)
        self._of_arms = contrasts.Contrast(self.compared, self.arms)
        contrasts.check_compared(self.file, self._of_arms, self.combinations, where)
        self.contrasts = contrasts.contrasts(self.file, self.combinations, where)
        self.launches = Launches(self.file, path)
        self._combination_of: dict[str, Combination] = {}

    def check(self, told: Callable[[str], None]) -> None:
        """Whether all points can run. Raises: BadInput that names the point."""
        self.rule()
        if self.file.first_seed > MOST_FIRST_SEED:
            raise BadInput(f"{self.path}: first_seed", str(self.file.first_seed), f"at most {MOST_FIRST_SEED}")
        self.launches.check(self.combinations, told)
        _ = self.keys                                # it raises for what makes no sense
        if self.clock == "real" and self.file.also:
            raise BadInput(f"{self.path}: also", "in real time runs that differ in another axis than the compared one "
                           "do not lie close together", "clock: virtual, or an experiment for each axis")

    @property
    def seeds(self) -> list[int]:
        """The seeds to begin with."""
        return list(range(self.file.first_seed, self.file.first_seed + self.file.seeds))

    @property
    def most_seeds(self) -> list[int]:
        """The seeds that it may come to have."""
        most = max(self.file.seeds, self.file.stop_when.most_seeds if self.file.stop_when else 0)
        return list(range(self.file.first_seed, self.file.first_seed + most))

    @cached_property
    def keys(self) -> dict[str, str]:
        """The full key of each metric. Raises: BadInput for a key that no summary has."""
        launch = self.launches.resolved(self.combinations[0]).launch
        measures = list(Installed(self.path.parent).measures(launch.scenario))
        return {metric: resolved_key(metric, self.streams, measures, f"{self.path}: metrics.{metric}")
                for metric in self.file.metrics}

    @cached_property
    def clock(self) -> str:
        """`real` or `virtual`. Raises: BadInput if the points do not have one clock."""
        clocks = {self.launches.resolved(one).launch.clock for one in self.combinations}
        if len(clocks) > 1:
            raise BadInput(str(self.path), "some points are in real time and some in virtual time", "one clock for all")
        return clocks.pop()

    @property
    def duration_s(self) -> float:
        """Simulated time of one run of each combination, in all."""
        return sum(self.launches.resolved(one).launch.duration_s for one in self.combinations)

    @property
    def compares(self) -> bool:
        """Whether arms are compared, and not one with its control alone."""
        return sum(not points.is_control(arm) for arm in self.arms) > 1

    @property
    def streams(self) -> list[str]:
        """The names of all streams, of whatever point."""
        return list(dict.fromkeys(stream.name for one in self.combinations
                                  for stream in self.launches.resolved(one).launch.streams))

    def facts(self) -> Facts:
        """What its figures can show."""
        cells = {points.cell_key(one.cell): one.cell for one in self.combinations}
        return Facts(list(cells.values()), self.compared, self.arms, list(self.file.metrics), self.streams,
                     [(one.cell, one.arm) for one in self.combinations])

    def too_few_seeds(self) -> str:
        """A sentence, if no seed can tip the scales: so many comparisons need more seeds to show any difference."""
        family = len(self.file.metrics) * max(
            contrasts.size(one, self.combinations) for one in (self._of_arms, *self.contrasts))
        least = analysis.least_seeds(family)
        if family < 1 or self.file.seeds >= least or self.file.stop_when is not None:
            return ""
        seeds = count(self.file.seeds, "seed")
        if self.file.seeds < analysis.least_seeds(1):
            return f"{seeds} cannot show a difference: at least {least} can, in {count(family, 'comparison')}"
        return (f"{seeds} may not show a difference in any of {count(family, 'comparison')}: at least {least} can, or "
                "fewer comparisons")         # one without a figure in enough seeds is not of the family

    def rule(self) -> StopWhen | None:
        """The rule by which seeds are added."""
        stop = self.file.stop_when
        if stop is None:
            return None
        where = f"{self.path}: stop_when"
        if stop.metric not in self.file.metrics:
            raise BadInput(f"{where}.metric", f"{stop.metric!r} is no metric of this file",
                           f"one of {', '.join(self.file.metrics)}")
        if not self.compares:
            raise BadInput(where, "nothing is compared", "a compared axis with two values, or no stop_when")
        if not 6 <= self.file.seeds <= stop.most_seeds:
            raise BadInput(f"{self.path}: seeds", f"{self.file.seeds} with stop_when, which looks after so many first",
                           f"6 to {stop.most_seeds}: below 6 there is no interval, and most_seeds is the end")
        return StopWhen(half_width=stop.half_width, first=self.file.seeds, batch=stop.batch, most=stop.most_seeds)

    def stopped(self, rows: Sequence[PointRow], added: int) -> str:
        """A sentence on the seeds that the rule has added, and on intervals that they left wide; empty: none of both.
        """
        stop, rule = self.file.stop_when, self.rule()
        if stop is None or rule is None:
            return ""
        wide = analysis.too_wide(rows, self.arms, stop.metric, self.file.metrics[stop.metric], rule)
        seeds = f"{count(added, 'seed')} {'was' if added == 1 else 'were'} added"
        if not wide:
            return f"{seeds} until the intervals were narrow enough" if added else ""
        reached = "most_seeds was reached" if self.file.seeds + added >= rule.most else "most_seeds was not reached"
        return (f"{seeds}; {reached}: {count(wide, 'interval')} of {stop.metric} {'is' if wide == 1 else 'are'} wider "
                f"than {rule.half_width:g} on each side")

    def blocks(self, seeds: Iterable[int]) -> list[list[Point]]:
        """The points of these seeds, by block."""
        made: list[list[Point]] = []
        for block in points.blocks(self.combinations, list(seeds)):
            planned = self.launches.points(block)
            self._combination_of |= {point.id: one for point, one in planned}
            made.append([point for point, _ in planned])
        return made

    def combination(self, point: Point) -> Combination:
        """Of a point that `blocks` made."""
        return self._combination_of[point.id]

    def values(self, summary: Mapping[str, Any]) -> dict[str, float | None]:
        """The metrics of a run."""
        return {metric: value_of(summary, key) for metric, key in self.keys.items()}

    def rows(self, sweep: Sweep, folder: Folder) -> list[PointRow]:
        """A row for each point, ordered by cell, seed and arm."""
        newest = sweep.newest()
        cells = list(dict.fromkeys(points.cell_key(one.cell) for one in self.combinations))
        arm_at = {arm: k for k, arm in enumerate(self.arms or [""])}
        cell_at = {cell: k for k, cell in enumerate(cells)}
        ordered = sorted((point for block in sweep.blocks for point in block), key=lambda point: (
            cell_at[points.cell_key(point.cell)], point.seed, arm_at[point.arm]))
        return [self._row(point, newest.get(point.id), sweep, folder) for point in ordered]

    def results(
        self, rows: list[PointRow], clock: str, revision: str, again: str, notes: Sequence[str]
    ) -> Results:
        """What tables, figures and the page show."""
        rule = self.rule()                           # whatever is compared was looked at as often
        rules = dict.fromkeys(self.file.metrics, rule) if rule else None
        return Results(
            name=self.name, axes=self.axes, compared=self.compared, arms=self.arms, metrics=self.file.metrics,
            cut=[metric for metric, key in self.keys.items() if is_cut(key)],
            clock=clock, revision=revision, rows=rows, again=again, notes=list(notes),
            comparisons=analysis.comparisons(rows, self.arms, self.file.metrics, rules),
            also=contrasts.comparisons(rows, self.compared, self.contrasts, self.file.metrics, rules))

    def _row(self, point: Point, run: Ran | None, sweep: Sweep, folder: Folder) -> PointRow:
        row = PointRow(id=point.id, cell=point.cell, arm=point.arm, seed=point.seed, valid=False,
                       command=self.launches.command(point), error=NOT_RUN,
                       warmup_s=self.launches.resolved(self.combination(point)).launch.warmup_s)
        if run is None:
            return row
        values = run.values
        if not run.error and not values.keys() >= self.keys.keys():      # metrics were added to the file
            values = self.values(_summary(folder.folder(point.id))) | values
        valid = sweep.block_counts(point)
        return msgspec.structs.replace(
            row, valid=valid, error=run.error, values={metric: values.get(metric) for metric in self.keys},
            invalid=run.invalid or ([OUT_OF_BLOCK] if run.counts and not valid else []),
            folder=f"{POINTS}/{point.id}" if not run.error else "")


def _summary(run: Path) -> dict[str, Any]:
    found = summary_of(run)
    if found is None:
        raise BadInput(str(run / "summary.json"), "it cannot be read", "a whole run folder; --resume flies it again")
    return found
