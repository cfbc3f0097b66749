"""Planted truth: how the figures of runs vary, with a known difference between policies.

A run gives one figure, and a difference is that of two runs of one seed; what the seed does to both is not drawn, as it
cancels. Every distribution of differences has the pseudo-median 0 before an effect is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from swarm.experiments.statistics.signed_ranks import Array

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

REQUESTS = 72                        # of a run: the fewest that bear a p95
WITHIN = 0.8                         # correlation of a request with the next one of its run
RUNS = 0.6                           # spread of the runs' levels, that of the requests of a run being 1
NOISIER = 3.8                        # noise of the p99 of `planner` over that of `local` on a busy host, as measured
BLOCK = 1000                         # experiments whose requests are drawn at once: memory


@dataclass(frozen=True)
class Planted:
    """How one policy's figure varies from run to run, and the other's."""

    name: str
    a: Draw
    b: Draw
    effect: float                    # a difference that some 16 seeds show with 80 %
    centre: float = 0.0              # pseudo-median of a - b
    mean: float = 0.0                # mean of a - b, less the centre: the truth of the references
    own: float | None = 0.0          # pseudo-median of a; None: not known exactly

    def differences(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Of a and b, about a pseudo-median of 0."""
        return self.a(rng, shape) - self.b(rng, shape) - self.centre

    def alike(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """A/A: of two runs of a."""
        return self.a(rng, shape) - self.a(rng, shape)


def distributions() -> tuple[Planted, ...]:
    """Normal, skewed (noise of unequal size), heavy-tailed (infinite variance) and correlated within runs."""
    from scipy.special import gammaincinv

    centre = _centre_of_unequal()
    exponential = float(gammaincinv(2.0, 0.5)) / 2.0     # its pseudo-median: the sum of two values is gamma of shape 2
    return (
        Planted("normal", _normal, _normal, effect=1.11),
        Planted("skewed", lambda rng, shape: NOISIER * _exponential(rng, shape), _exponential, effect=2.09,
                centre=centre, mean=NOISIER - 1.0 - centre, own=NOISIER * exponential),
        Planted("heavy_tailed", _heavy, _heavy, effect=2.0),
        Planted("correlated", p95, p95, effect=0.91, own=None),
    )


def two_valued(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Differences that are near 1 or near -1: a policy that flips between two placements."""
    return rng.choice((-1.0, 1.0), shape) + 0.02 * rng.standard_normal(shape)


def requests(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Latencies of the requests of runs: (..., REQUESTS), correlated by the run's level and with their neighbours."""
    noise = rng.standard_normal((REQUESTS, *shape))
    for k in range(1, REQUESTS):
        noise[k] = WITHIN * noise[k - 1] + np.sqrt(1.0 - WITHIN**2) * noise[k]
    return np.moveaxis(np.exp(0.5 * (RUNS * rng.standard_normal(shape) + noise)), 0, -1)


def p95(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """The 95 % latency of each run."""
    place = int(0.95 * (REQUESTS - 1))
    blocks = [min(BLOCK, shape[0] - k) for k in range(0, shape[0], BLOCK)]
    return np.concatenate([np.partition(requests(rng, (n, *shape[1:])), place, axis=-1)[..., place] for n in blocks])


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _exponential(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_exponential(shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_t(2, shape)


@cache
def _centre_of_unequal() -> float:
    """The pseudo-median of c X - Y for exponential X and Y: half the median of c G - G', both gamma of shape 2."""
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.stats import gamma

    def below(z: float) -> float:
        return quad(lambda y: gamma.cdf((z + y) / NOISIER, 2) * gamma.pdf(y, 2), 0.0, np.inf)[0] - 0.5

    return float(brentq(below, 0.0, 20.0)) / 2.0                 # pyright: ignore[reportArgumentType]
