"""Two policies over the same seeds. A figure per run: the run is the unit.

Requests of one run share its faults, links and load, so that their number says nothing about the next run. A seed is a
block: both sides flew it, and their difference counts. The figure may be infinite, such as a percentile among frames
that never came; it is missing (NaN or None) where too few requests bear it, and then the seed is left out of this
comparison. Estimand, interval and test: signed_ranks.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST, Array, estimate, p_values, signed_ranks
from swarm.experiments.statistics.stopping import StopWhen
from swarm.telemetry.figures.stats import Interval

Better = Literal["higher", "lower"]
Figures = Sequence[float | None] | Array         # one per seed, in the order in which they flew


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """a against b. None: the seeds do not say."""

    n: int                           # seeds compared
    missing: int                     # seeds left out: one side has no figure
    waiting: int                     # seeds after the last look of `stop_when`, which does not count them yet
    difference: float | None         # a - b, in the unit of the metric: pseudo-median of the differences
    interval: Interval | None        # 95 %, of all looks together; None below 6 seeds
    ratio: float | None              # a / b: from the pseudo-median of the differences of logarithms
    won: float | None                # share of the seeds in which a is better
    p: float | None                  # of the exact sign-flip test, two-sided; None below 6 seeds
    leaning: int                     # 1: the ranks are on the side of a; -1: of b; 0: of neither

    @property
    def half_width(self) -> float:
        """Of the interval of the difference; infinite without one, 0 if both ends are alike, infinite ones too."""
        if self.interval is None:
            return math.inf
        return 0.0 if self.interval.low == self.interval.high else (self.interval.high - self.interval.low) / 2.0


def compare(
    a: Figures, b: Figures, better: Better, stop_when: StopWhen | None = None
) -> Comparison:
    """Compare two figures per seed, of the same seeds.

    better: whether a higher or a lower figure is. stop_when: the rule by which seeds were added; the comparison takes
    the seeds of its last look. Two infinite figures of one seed are alike. Raises: ValueError (not the same number).
    """
    first, second = _pairs(a, b)
    n = stop_when.last(first.size) if stop_when else first.size
    alpha = stop_when.alpha if stop_when else ALPHA
    apart = differences(first[:n], second[:n])
    difference, interval = _estimate(apart, alpha)
    p = p_values(apart) if n >= LEAST else None
    if p is not None and stop_when:
        p = stop_when.adjusted(p)
    ahead = apart if better == "higher" else -apart
    return Comparison(
        n=n, missing=len(a) - first.size, waiting=first.size - n, difference=difference, interval=interval,
        ratio=_ratio(first[:n], second[:n]), won=float(np.mean(ahead > 0.0)) if n else None,
        p=None if p is None else float(p), leaning=int(np.sign(np.sum(signed_ranks(ahead)))) if n else 0)


def differences(a: Figures, b: Figures) -> Array:
    """a - b of the seeds that have both figures; 0 of two infinite ones. Raises: ValueError (not the same number)."""
    first, second = _pairs(a, b)
    return np.subtract(first, second, out=np.zeros(first.size), where=first != second)


def too_wide(comparisons: Sequence[Comparison], rule: StopWhen) -> list[Comparison]:
    """Those whose interval is not narrow enough; an interval that there is not is infinitely wide."""
    return [one for one in comparisons if one.half_width > rule.half_width]


def more_seeds(comparisons: Sequence[Comparison], rule: StopWhen) -> int:
    """Seeds to add until the next look, by the comparisons so far; 0: all are narrow enough, or `most` have flown."""
    wide = too_wide(comparisons, rule)
    flown = max((one.n + one.waiting + one.missing for one in comparisons), default=0)
    return max((max(0, min(rule.after(one.n) - one.n - one.waiting, rule.most - flown)) for one in wide), default=0)


def _figures(given: Figures) -> Array:
    return np.array([math.nan if figure is None else figure for figure in given], np.float64)


def _pairs(a: Figures, b: Figures) -> tuple[Array, Array]:
    """The figures of the seeds that have both."""
    first, second = _figures(a), _figures(b)
    if first.size != second.size:
        raise ValueError(f"{first.size} figures against {second.size}")
    both = ~(np.isnan(first) | np.isnan(second))
    return first[both], second[both]


def _estimate(values: Array, alpha: float) -> tuple[float | None, Interval | None]:
    if not values.size:
        return None, None
    value, low, high = (float(found) for found in estimate(values, alpha))
    return None if math.isnan(value) else value, None if math.isnan(low) else Interval(low, high)


def _ratio(a: Array, b: Array) -> float | None:
    """None if a figure is negative. Figures that are alike, both 0 too, have the ratio 1; against 0 it is infinite."""
    if np.any(a < 0.0) or np.any(b < 0.0):
        return None
    with np.errstate(divide="ignore", over="ignore"):
        value, _ = _estimate(differences(np.log(a), np.log(b)), ALPHA)
        return None if value is None else float(np.exp(value))
