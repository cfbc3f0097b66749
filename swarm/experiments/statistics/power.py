"""How many seeds: the power of the very test, foretold from a pilot, and the seeds that a difference needs.

Experiments are drawn: the pilot's differences about their pseudo-median, resampled, and moved by the difference to be
seen; then the exact test decides. The pilot is small, so three things are not taken as known. Its values stand for more
values than they are: a normal kernel spreads each (the smoothed bootstrap, at half the width of the normal rule:
Silverman, Density Estimation, section 6.4; the whole width would hide a skewed shape). Residuals lie closer to their
own centre than to the true one: they are stretched by sqrt(m / (m - 1)). And the spread itself is uncertain: each drawn
experiment has its own (predictive sample size: Julious and Owen, Pharm. Stat. 5, 2006), by a chi-squared distribution
with as many degrees of freedom as give a variance of m values its own variance, s^4 (2 / (m - 1) + k / m) with the
excess kurtosis k. Without this, plans from pilots of 6 to 20 seeds show a difference in 70 to 79 % of experiments
instead of 80: too few seeds cost more power than as many too many give.

The power is a mean over what the pilot leaves open, and so is the promise: 80 % of the experiments that are planned
like this show such a difference, a single plan may have much more power or less. `spread_between` tells how much is
open.
"""

from __future__ import annotations

import msgspec
import numpy as np

from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST, Array, estimate, p_values
from swarm.telemetry.figures.stats import Interval

POWER = 0.8                          # the field's custom (Cohen, Statistical Power Analysis, 1988, p. 56)
MOST = 500                           # seeds; with runs of 27 s, 4 hours of each policy
DRAWS = 2000                         # experiments per number of seeds: a power of 0.8 is known to 0.009
KERNEL = 0.53                        # half of 1.06, the normal rule of Silverman, section 3.4.2
KURTOSIS = 1.0                       # excess; six values do not tell it, and tails of runs are heavier than normal
OPEN = 0.8                           # of the interval of the spread: a tenth is left out on each side
SEED = 0


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of an experiment. None: more than MOST seeds."""

    difference: float                # to be seen, in the unit of the metric
    pilot: int                       # differences that the plan is made from
    family: int                      # comparisons under Holm; the worst case: none of the others differs
    seeds: int | None
    power: float | None              # at this number of seeds


def seeds_needed(
    pilot: Array, difference: float, family: int = 1, *, spread: float | None = None, least: float = POWER,
    draws: int = DRAWS, seed: int = SEED,
) -> Needed | None:
    """The least number of seeds, from LEAST to MOST, that has the power `least`. The rest: as for `power`."""
    known = dict[int, float]()

    def enough(n: int) -> bool:
        known[n] = power(pilot, difference, n, family, spread=spread, draws=draws, seed=seed) or 0.0
        return known[n] >= least

    if _noise(pilot) is None:
        return None
    seeds = LEAST
    while not enough(seeds) and seeds < MOST:                    # doubling, then halving
        seeds = min(2 * seeds, MOST)
    below = max((n for n in known if n < seeds), default=LEAST - 1)
    while seeds - below > 1:
        middle = (below + seeds) // 2
        below, seeds = (below, middle) if enough(middle) else (middle, seeds)
    found = known[seeds] >= least
    return Needed(difference=difference, pilot=pilot.size, family=family, seeds=seeds if found else None,
                  power=known[seeds] if found else None)


def power(
    pilot: Array, difference: float, seeds: int, family: int = 1, *, spread: float | None = None, draws: int = DRAWS,
    seed: int = SEED,
) -> float | None:
    """The chance that an experiment of so many seeds shows the difference.

    pilot: (m,) differences of the pilot's seeds (comparison.differences), infinite ones allowed. difference: to be
    seen; its sign counts where the pilot is skewed. spread: the standard deviation of the differences, above 0, if it
    is known; else it is as uncertain as the pilot leaves it. None: the pilot has fewer than LEAST finite values, or
    these are all equal, or its pseudo-median is infinite.
    """
    noise = _noise(pilot)
    if noise is None:
        return None
    if 2.0 ** (1 - seeds) > ALPHA / family:                      # not even the smallest p is enough
        return 0.0
    (residuals, own, m), rng, shape = noise, np.random.default_rng([seed, seeds]), (draws, seeds)
    width, degrees = KERNEL * m**-0.2, _degrees(m)
    drawn = (rng.choice(residuals, shape) + width * rng.standard_normal(shape)) / np.hypot(1.0, width)
    stretch = own * np.sqrt(degrees / rng.chisquare(degrees, (draws, 1))) if spread is None else spread
    return float(np.mean(p_values(drawn * stretch + difference) <= ALPHA / family))


def spread_between(pilot: Array) -> Interval | None:
    """The 80 % interval of the standard deviation of the differences; None as for `power`."""
    from scipy.stats import chi2

    noise = _noise(pilot)
    if noise is None:
        return None
    _, own, m = noise
    of = _degrees(m) / chi2(_degrees(m)).isf([(1.0 - OPEN) / 2.0, (1.0 + OPEN) / 2.0])
    return Interval(*(own * float(factor) for factor in np.sqrt(of)))


def _degrees(m: int) -> float:
    """Of the variance of m values, as a multiple of a chi-squared one."""
    return 2.0 / (2.0 / (m - 1) + KURTOSIS / m)


def _noise(pilot: Array) -> tuple[Array, float, int] | None:
    """Residuals of unit spread, and standard deviation and number of the finite values; None: they do not tell."""
    finite = pilot[np.isfinite(pilot)]
    m = finite.size
    if m < LEAST or not np.ptp(finite):
        return None
    own, centre = float(np.std(finite, ddof=1)), estimate(pilot).value
    return ((pilot - centre) / own * np.sqrt(m / (m - 1)), own, m) if np.isfinite(centre) else None
