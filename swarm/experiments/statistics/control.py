"""The A/A control: one policy twice. Differences that chance alone shows are no news."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np

from swarm.experiments.statistics.comparison import Comparison, Figures, compare, differences
from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST, Array, estimate

FLIPPED = 12                         # seeds up to which all 2^n flips are taken; above, as many are drawn
SEED = 0


class NoiseFloor(msgspec.Struct, frozen=True, kw_only=True):
    """The size of differences without a cause. None: too few seeds."""

    half_width: float | None         # of the interval of the difference; infinite if it has no end
    chance: float | None             # a difference that chance alone exceeds in 5 % of such comparisons at most
    comparison: Comparison           # a small p: the blocks are not alike, and no verdict of this experiment holds


def noise_floor(first: Figures, second: Figures) -> NoiseFloor:
    """From two figures per seed of one policy: of two runs of each seed.

    Both runs of a seed are alike, so each difference might have had the other sign: `chance` is a quantile of the
    estimate's magnitude over these flips, all 2^n or as many as FLIPPED seeds have.
    """
    one = compare(first, second, "higher")
    if one.n < LEAST:
        return NoiseFloor(half_width=None, chance=None, comparison=one)
    apart = differences(first, second)
    shown = np.abs([estimate(signs * apart).value for signs in _signs(one.n)])
    chance = np.quantile(np.where(np.isnan(shown), np.inf, shown), 1.0 - ALPHA, method="higher")
    return NoiseFloor(half_width=one.half_width, chance=float(chance), comparison=one)


def _signs(n: int) -> Array:
    if n <= FLIPPED:
        return np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
    return np.random.default_rng([SEED, n]).choice((-1.0, 1.0), (2 ** FLIPPED, n))
