"""Verdicts over a family of comparisons: the chance of any wrong one is 5 % at most (Holm, Scand. J. Stat. 6, 1979)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from swarm.experiments.statistics.comparison import Comparison
from swarm.experiments.statistics.signed_ranks import ALPHA

Verdict = Literal["better", "worse", "no difference shown", "too few seeds"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The adjusted p of each comparison. None, a comparison without a p, is not of the family and stays None.

    The k-th smallest of m is multiplied by m - k + 1, and none is smaller than the one before it.
    """
    known = [k for k, p in enumerate(p_values) if p is not None]
    given = np.array([p_values[k] for k in known], np.float64)
    order = np.argsort(given, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate(given[order] * (given.size - np.arange(given.size))), 1.0)
    found: list[float | None] = [None] * len(p_values)
    for k, p in zip(order, adjusted, strict=True):
        found[known[k]] = float(p)
    return found


def verdicts(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """Of each comparison of one family: whether a is better or worse than b, by the adjusted p.

    An interval is of its comparison alone: it may leave out 0 where the family shows no difference.
    """
    return [_verdict(one, p) for one, p in zip(comparisons, holm([one.p for one in comparisons]), strict=True)]


def _verdict(one: Comparison, adjusted: float | None) -> Verdict:
    if adjusted is None:
        return "too few seeds"
    if adjusted > ALPHA or not one.leaning:
        return "no difference shown"
    return "better" if one.leaning > 0 else "worse"
