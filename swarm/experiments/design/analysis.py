"""From the runs of an experiment to its results: rows of points, and comparisons of the arms over the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from swarm.core.settings.experiment_file import Better
from swarm.experiments.design.points import cell_key, is_control
from swarm.experiments.design.rows import Comparison, PointRow
from swarm.experiments.statistics import comparison, family
from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST
from swarm.experiments.statistics.stopping import StopWhen

Key = tuple[str, str]                # of a cell, as text, and an arm
Pair = tuple[list[float | None], list[float | None]]


def comparisons(
    rows: Sequence[PointRow], arms: Sequence[str], metrics: Mapping[str, Better],
    stop_when: Mapping[str, StopWhen] | None = None,
) -> list[Comparison]:
    """Each arm but the first against the first, in each cell and metric: one family; then the A/A control, another one.

    rows: ordered by cell and seed. stop_when: the rule of the metric by which seeds were added.
    """
    families = ([arm for arm in arms if not is_control(arm)], [*arms[:1], *filter(is_control, arms)])
    return [one for members in families for one in _family(rows, members, metrics, stop_when or {})]


def _family(
    rows: Sequence[PointRow], arms: Sequence[str], metrics: Mapping[str, Better], stop_when: Mapping[str, StopWhen]
) -> list[Comparison]:
    cells = {cell_key(row.cell): row.cell for row in rows}
    pairs = [(metric, key, pair) for metric in metrics for key, pair in paired(rows, arms, metric).items()]
    found = [comparison.compare(a, b, metrics[metric], stop_when.get(metric)) for metric, _, (a, b) in pairs]
    adjusted, said = family.holm([one.p for one in found]), family.verdicts(found)
    return [Comparison(
        metric=metric, better=metrics[metric], cell=cells[cell], arm=arm, against=arms[0], n=one.n,
        mean_arm=_mean(_both(a, b)[:one.n]), mean_against=_mean(_both(b, a)[:one.n]), difference=one.difference,
        interval=one.interval and (one.interval.low, one.interval.high), p=one.p, p_adjusted=p, ratio=one.ratio,
        won=one.won, verdict=verdict,
    ) for (metric, (cell, arm), (a, b)), one, p, verdict in zip(pairs, found, adjusted, said, strict=True)]


def least_seeds(comparisons: int) -> int:
    """The fewest seeds with which a family of so many comparisons can show a difference.

    The smallest two-sided p of the sign-flip test of n seeds is 2^(1 - n), and Holm multiplies the smallest of a family
    by its size.
    """
    return max(LEAST, math.ceil(1 + math.log2(max(comparisons, 1) / ALPHA)))


def more_seeds(
    rows: Sequence[PointRow], arms: Sequence[str], metric: str, better: Better, rule: StopWhen
) -> int:
    """Seeds to add until the next look by a stopping rule; 0: the intervals are narrow, or `most` have flown."""
    return comparison.more_seeds(_looked_at(rows, arms, metric, better, rule), rule)


def too_wide(rows: Sequence[PointRow], arms: Sequence[str], metric: str, better: Better, rule: StopWhen) -> int:
    """Intervals that are not narrow enough at the last look."""
    return len(comparison.too_wide(_looked_at(rows, arms, metric, better, rule), rule))


def _looked_at(
    rows: Sequence[PointRow], arms: Sequence[str], metric: str, better: Better, rule: StopWhen
) -> list[comparison.Comparison]:
    compared = [arm for arm in arms if not is_control(arm)]
    return [comparison.compare(a, b, better, rule) for a, b in paired(rows, compared, metric).values()]


def paired(rows: Sequence[PointRow], arms: Sequence[str], metric: str) -> dict[Key, Pair]:
    """By cell (as text) and arm: the figures of that arm and of the first one, over the seeds that both have.

    Cells in which one of the two is not flown have no such pair.
    """
    by_arm, flown = _by_arm(rows), {(cell_key(row.cell), row.arm) for row in rows}
    return {(cell, arm): _pair(by_arm.get((cell, arm), {}), by_arm.get((cell, arms[0]), {}), metric)
            for cell in dict.fromkeys(cell_key(row.cell) for row in rows) for arm in arms[1:]
            if {(cell, arm), (cell, arms[0])} <= flown}


def _by_arm(rows: Sequence[PointRow]) -> dict[Key, dict[int, PointRow]]:
    """The valid rows of each cell and arm, by seed."""
    found: dict[Key, dict[int, PointRow]] = {}
    for row in rows:
        if row.valid:
            found.setdefault((cell_key(row.cell), row.arm), {})[row.seed] = row
    return found


def _pair(a: Mapping[int, PointRow], b: Mapping[int, PointRow], metric: str) -> Pair:
    seeds = sorted(a.keys() & b.keys())
    return [a[seed].values.get(metric) for seed in seeds], [b[seed].values.get(metric) for seed in seeds]


def _both(of: Sequence[float | None], other: Sequence[float | None]) -> list[float]:
    """The figures of one side over the seeds that bear both."""
    return [a for a, b in zip(of, other, strict=True) if a is not None and b is not None]


def _mean(known: Sequence[float]) -> float | None:
    """Of all figures, if each is finite."""
    return math.fsum(known) / len(known) if known and all(map(math.isfinite, known)) else None
