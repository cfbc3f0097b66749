"""Intervals of shares and quantiles. Only this file of the figures imports scipy, and only when it computes.

Every interval covers the true value with at least 95 % (share: about 95 %), two-sided, if the values are independent.
Requests of one run are not quite independent, so an interval says how much the number of requests bears, and no more.
Infinite values are allowed in quantiles: frames without a result.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
TAIL = (1.0 - CONFIDENCE) / 2.0      # on each side of an interval
Z = 1.959964                         # of the normal distribution, at that tail


class Interval(NamedTuple):
    """From `low` to `high`; infinite: beyond the last finite value."""

    low: float
    high: float


class Quantile(NamedTuple):
    """A quantile and its interval; infinite: beyond the last finite value."""

    value: float
    interval: Interval


def share_interval(hits: int, of: int) -> Interval | None:
    """Interval of a share by Wilson's score (J. Am. Stat. Assoc. 22, 1927); None of nothing."""
    if not of:
        return None
    from scipy.stats import binomtest

    found = binomtest(hits, of).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def likely_shares(share: float, of: int) -> Interval:
    """Where the share of `of` values lies with 95 %, if each hits with probability `share`: Wilson's score about it."""
    z2 = Z * Z / of
    centre = (share + z2 / 2.0) / (1.0 + z2)
    half = Z / (1.0 + z2) * math.sqrt(share * (1.0 - share) / of + z2 / (4.0 * of))
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0))


def needed(q: float) -> int:
    """The least number of values that bears quantile q: the least and the largest of so many enclose it with 95 %.

    All of n values lie below the quantile with probability q^n, and above it with (1 - q)^n: each at most 2.5 %.
    """
    return math.ceil(math.log(TAIL) / math.log(max(q, 1.0 - q)))


def quantile(values: NDArray[np.float64], q: float) -> Quantile | None:
    """Quantile q of the values, interpolated linearly, and its interval; None if too few values bear it."""
    if values.size < needed(q):
        return None
    ordered, place = np.sort(values), q * (values.size - 1)
    left, right = ordered[math.floor(place)], ordered[math.ceil(place)]
    value = left + (place - math.floor(place)) * (right - left) if left < right else left
    return Quantile(float(value), quantile_interval(ordered, q))


def quantile_interval(ordered: NDArray[np.float64], q: float) -> Interval:
    """Interval of quantile q of values in order; its end is infinite where too few values bear it.

    It runs between two order statistics, whatever the distribution: the number of values below the quantile is binomial
    (Conover, Practical Nonparametric Statistics, section 3.2).
    """
    from scipy.stats import binom

    below = binom(ordered.size, q)
    low, high = int(below.ppf(TAIL)) - 1, int(below.isf(TAIL))
    return Interval(float(ordered[low]) if low >= 0 else -math.inf,
                    float(ordered[high]) if high < ordered.size else math.inf)
