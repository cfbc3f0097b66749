"""Pseudo-median, its interval and the exact sign-flip test of signed ranks: the one method of this folder.

The estimand is the **pseudo-median**: the median of (D + D') / 2 for two independent values D and D'. Of a symmetric
distribution it is the median, and the mean where there is one. Its estimate (Hodges and Lehmann, Ann. Math. Stat. 34,
1963) is the median of the averages of all pairs of values, each value with itself too: the Walsh averages. The interval
runs between two of these averages, counted by the distribution of Wilcoxon's signed-rank statistic (Hollander and
Wolfe, Nonparametric Statistical Methods, sections 3.2 and 3.3). It covers with at least 95 % where the values are
symmetric about the pseudo-median; `swarm bench statistics` measures it where they are not.

The test flips signs. If both sides of a comparison are alike, a difference is as likely as its negative, whatever the
distribution: all 2^n flips are equally likely. The statistic is the sum of the ranks of the positive differences. So an
infinite difference has a rank, one wild run does not decide, and the test agrees with the interval. Equal magnitudes
share the mean of their ranks, and a difference of 0 has a rank but no sign (Pratt, J. Am. Stat. Assoc. 54, 1959). All
flips are counted with these very ranks: p is exact, with ties too, and nothing is drawn. Beyond `MOST_EXACT` values,
for which counting takes seconds, both follow the normal distribution (Hollander and Wolfe, sections 3.1 and 3.3).

The last axis of an array holds the values of one sample: at least one, infinite values allowed, NaN not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ALPHA = 0.05                         # two-sided, of every test; an interval covers with 1 - ALPHA
MOST_EXACT = 500                     # values whose flips are counted: the effort grows with their cube
LEAST = 6                            # values that bear a verdict: the smallest p of 5 is 2 / 2^5 = 0.0625, of 6 0.031


class Estimate(NamedTuple):
    """Pseudo-median and interval of each sample. NaN: the values do not say."""

    value: Array
    low: Array
    high: Array


def estimate(values: Array, alpha: float = ALPHA) -> Estimate:
    """Of each sample; values: (..., n), results: (...). The ends are NaN where n is too small for 1 - alpha.

    The average of two opposite infinities is unknown: it may be the least of all averages, or the largest. The value is
    NaN where that decides.
    """
    first, second = np.triu_indices(values.shape[-1])
    with np.errstate(invalid="ignore"):
        walsh = values[..., first] / 2.0 + values[..., second] / 2.0
        unknown = np.isnan(walsh)
        least = np.sort(np.where(unknown, -np.inf, walsh), axis=-1)
        largest = np.sort(np.where(unknown, np.inf, walsh), axis=-1) if unknown.any() else least
        middle = walsh.shape[-1] // 2
        value = (least[..., -1 - middle] + largest[..., middle]) / 2.0       # the two in the middle, or the one twice
    k = rank_of_end(values.shape[-1], alpha)
    nothing = np.full(value.shape, np.nan)
    return Estimate(value, *((least[..., k - 1], largest[..., -k]) if k else (nothing, nothing)))


def rank_of_end(n: int, alpha: float = ALPHA) -> int:
    """The interval of n values runs from the k-th smallest Walsh average to the k-th largest; 0: there is none."""
    if n > MOST_EXACT:
        mean, deviation = n * (n + 1) / 4.0, math.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
        return math.floor(mean - NormalDist().inv_cdf(1.0 - alpha / 2.0) * deviation)
    return int(np.searchsorted(np.cumsum(_flips(tuple(range(1, n + 1)))), alpha / 2.0, side="right"))


def p_values(differences: Array) -> Array:
    """The exact two-sided p of each sample; differences: (..., n), results: (...). It is 1 if all are 0."""
    signed = signed_ranks(differences)
    larger = np.maximum(np.sum(signed.clip(min=0), axis=-1), -np.sum(signed.clip(max=0), axis=-1)).ravel()
    samples = defaultdict[bytes, list[int]](list)                # by their ranks: all without ties have the same
    patterns = np.sort(np.abs(signed), axis=-1).reshape(larger.size, -1)
    for k, pattern in enumerate(patterns):
        samples[pattern.tobytes()].append(k)
    found = np.empty(larger.size)
    for some in samples.values():
        found[some] = two_sided(tuple(rank for rank in patterns[some[0]].tolist() if rank), larger[some])
    return found.reshape(signed.shape[:-1])


def signed_ranks(differences: Array) -> NDArray[np.int64]:
    """Twice the rank of each magnitude, with the sign of the difference: whole numbers, with ties too; 0 of 0."""
    return np.apply_along_axis(_twice_ranks, -1, np.abs(differences)) * np.sign(differences).astype(np.int64)


def _twice_ranks(magnitudes: Array) -> NDArray[np.int64]:
    """Of one sample. As scipy.stats.rankdata, whose import takes a second of every resumed experiment."""
    ordered = np.sort(magnitudes)
    return np.searchsorted(ordered, magnitudes, "left") + np.searchsorted(ordered, magnitudes, "right") + 1


def two_sided(ranks: tuple[int, ...], larger: NDArray[np.int64]) -> Array:
    """p of the larger of both rank sums; ranks: of all differences but 0, in order, as whole numbers in any unit."""
    if len(ranks) > MOST_EXACT:
        deviation = math.sqrt(sum(rank * rank for rank in ranks)) / 2.0
        beyond = (larger - sum(ranks) / 2.0) / deviation
        return np.array([math.erfc(max(0.0, one) / math.sqrt(2.0)) for one in beyond])
    step = math.gcd(*ranks) or 1
    beyond = np.cumsum(_flips(tuple(rank // step for rank in ranks))[::-1])[::-1]
    return np.minimum(2.0 * beyond[larger // step], 1.0)


@lru_cache(maxsize=128)
def _flips(ranks: tuple[int, ...]) -> Array:
    """Of all 2^n flips, the share in which the ranks with a positive sign add up to 0, 1, 2, ..."""
    shares = np.ones(1)
    for rank in ranks:
        longer = np.zeros(shares.size + rank)
        longer[:shares.size] = shares
        longer[rank:] += shares
        shares = longer / 2.0
    return shares
