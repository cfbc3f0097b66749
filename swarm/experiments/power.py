"""How many seeds a difference needs: the results of an experiment are the pilot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.experiments.design import analysis
from swarm.experiments.design.points import Cell
from swarm.experiments.design.sweep import Sweep, newest_code
from swarm.experiments.experiment import Experiment
from swarm.experiments.statistics import power as statistics
from swarm.experiments.statistics.comparison import differences
from swarm.experiments.statistics.signed_ranks import LEAST
from swarm.experiments.store import Folder


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. None: the pilot does not say; of `seeds` also: more than `statistics.power.MOST`."""

    cell: Cell
    arm: str
    against: str
    pilot: int                       # seeds of the pilot in which both have the figure
    spread: tuple[float, float] | None       # 80 % interval of the standard deviation of the differences
    seeds: int | None                # that show the difference with the power `wanted`
    power: float | None              # of so many
    power_now: float | None          # of the seeds that the file has


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Of all comparisons in one metric."""

    metric: str
    difference: float                # arm - against, in the unit of the metric
    wanted: float = statistics.POWER
    family: int                      # comparisons of the experiment, which share the chance of a wrong verdict
    seeds_now: int                   # of the file
    seeds: int | None                # that are enough for every comparison
    comparisons: list[Planned]
    notes: list[str]


def plan(
    experiment: Experiment, folder: Folder, metric: str, difference: float, run: str, told: Callable[[str], None]
) -> Plan:
    """run: the command that flies the pilot. Raises: BadInput if the folder has too few results, or a wish makes no
    sense.
    """
    file, where = experiment.file, str(experiment.path)
    if metric not in file.metrics:
        raise BadInput("--metric", f"{metric!r} is no metric of {where}", f"one of {', '.join(file.metrics)}")
    if not math.isfinite(difference) or not difference:
        raise BadInput("--difference", f"{difference:g}", "a number that is not 0, in the unit of the metric")
    if not experiment.compares:
        raise BadInput(where, "nothing is compared", "a compared axis with two values")
    ran = folder.runs()
    sweep = Sweep(experiment.blocks(experiment.most_seeds), newest_code(ran))
    pairs = analysis.paired(experiment.rows(sweep, folder), experiment.arms, metric)
    again = {one.arm for one in experiment.combinations if one.control}
    pilots = {key: differences(*pair) for key, pair in pairs.items() if key[1] not in again}
    if (largest := max((pilot.size for pilot in pilots.values()), default=0)) < LEAST:
        raise BadInput(f"--out {folder.path}", f"at most {largest} seeds of a comparison have this figure",
                       f"at least {LEAST}, from `{run}`")
    family = len(pilots) * len(file.metrics)
    planned = []
    for number, ((cell, arm), pilot) in enumerate(pilots.items(), start=1):
        told(f"planning comparison {number} of {len(pilots)}")
        needed = statistics.seeds_needed(pilot, difference, family)
        planned.append(Planned(
            cell=msgspec.json.decode(cell), arm=arm, against=experiment.arms[0], pilot=pilot.size,
            spread=statistics.spread_between(pilot), seeds=needed and needed.seeds, power=needed and needed.power,
            power_now=statistics.power(pilot, difference, file.seeds, family)))
    return Plan(metric=metric, difference=difference, family=family, seeds_now=file.seeds, seeds=_enough(planned),
                comparisons=planned, notes=_notes(experiment, planned, {run.code for run in sweep.newest().values()}))


def _enough(planned: list[Planned]) -> int | None:
    known = [one.seeds for one in planned if one.seeds is not None]
    return max(known) if len(known) == len(planned) else None


def _notes(experiment: Experiment, planned: list[Planned], codes: set[str]) -> list[str]:
    notes: list[Any] = [
        len(codes) > 1 and "the pilot's runs are of different code",
        experiment.file.stop_when and "stop_when looks often, at a sharper level: it needs more seeds than these",
        any(one.spread is None for one in planned) and
        f"-: fewer than {LEAST} finite differences, or all alike: a pilot with more seeds tells",
        any(one.spread and one.seeds is None for one in planned) and f"more than {statistics.MOST} seeds: this is no "
        "difference that such an experiment can show"]
    return [note for note in notes if note]
