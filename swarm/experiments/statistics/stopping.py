"""When to stop: seeds are added until the interval is narrow enough, and looking often costs no truth.

Narrow intervals are not chosen at random: the spread looks small while large values have not come yet, or when chance
has made differences of few values alike. With 95 % at every look such intervals cover 91 to 95 %, and up to 10 % of
policies are told to differ from themselves. So all looks have one sharper level, at which the chance of an error at any
of them is ALPHA at most: a group-sequential test with a constant boundary (Pocock, Biometrika 64, 1977), and its
repeated confidence intervals (Jennison and Turnbull, J. R. Stat. Soc. B 51, 1989). The level does not depend on the
distribution: if differences are symmetric, all signs and all orders of magnitudes are equally likely, so that the rank
sums of all looks have one joint distribution. It is drawn, seeded. The interval covers at all looks together with 95 %;
the p of a comparison is the chance of so small a p at any look (Westfall and Young, Resampling-Based Multiple Testing,
1993). Both hold whatever the reason to stop.

The price: at 60 seeds with 11 looks the level is 0.011 instead of 0.05, so the same half-width needs 1.7 times the
seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from swarm.experiments.statistics.signed_ranks import ALPHA, LEAST, Array, two_sided

PATHS = 20_000                       # drawn: the chance of an error at any look is known to 0.0015
SEED = 0


class StopWhen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add seeds until every interval is narrow enough; the looks are at `first` seeds and after every batch."""

    half_width: Annotated[float, Meta(gt=0.0, le=1e12)]          # in the unit of the metric
    first: Annotated[int, Meta(ge=LEAST, le=200)] = 10           # fewer than 8 never reach the level of ten looks
    batch: Annotated[int, Meta(ge=1, le=200)] = 5
    most: Annotated[int, Meta(ge=LEAST, le=200)] = 60            # seeds; 200 runs of 27 s are 90 minutes of each policy

    def __post_init__(self) -> None:
        if self.first > self.most:
            raise ValueError(f"most: {self.most} seeds; at least `first`, which is {self.first}")

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds after which the intervals are looked at; the last is `most`."""
        return (*range(self.first, self.most, self.batch), self.most)

    def last(self, seeds: int) -> int:
        """The last look that so many seeds allow; 0: none yet."""
        return max((n for n in self.looks if n <= seeds), default=0)

    def after(self, seeds: int) -> int:
        """The next look after so many seeds; `most` if there is none."""
        return min((n for n in self.looks if n > seeds), default=self.most)

    @property
    def alpha(self) -> float:
        """The level of each look: an interval of 1 - alpha; 0: so few seeds bear no interval."""
        least = _least(self.looks)
        known = np.unique(least)
        return float(max(known[self.adjusted(known) <= ALPHA], default=0.0))

    def adjusted(self, p: Array) -> Array:
        """The p of a comparison that was looked at often: the chance that, without a difference, any look has such a p.

        The drawn paths count with the add-one rule (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
        """
        return np.asarray(1.0 + np.searchsorted(_least(self.looks), p, side="right"), np.float64) / (1.0 + PATHS)


@lru_cache(maxsize=16)
def _least(looks: Sequence[int]) -> Array:
    """The least p over all looks of each drawn path without a difference, in order.

    A new value adds the number of its positive Walsh averages, with itself too, to the positive rank sum (Tukey).
    """
    rng = np.random.default_rng([SEED, *looks])
    paths = rng.uniform(-1.0, 1.0, (looks[-1], PATHS))           # any symmetric distribution gives the same ranks
    up, least = np.zeros(PATHS, np.int64), np.ones(PATHS)
    for n in range(1, looks[-1] + 1):
        up += np.sum(paths[:n] + paths[n - 1] > 0.0, axis=0)
        if n in looks:
            both = np.maximum(up, n * (n + 1) // 2 - up)
            least = np.minimum(least, two_sided(tuple(range(1, n + 1)), both))
    return np.sort(least)
