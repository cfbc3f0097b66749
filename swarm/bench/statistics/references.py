"""References: usual alternatives on the same planted truth. Their coverage is the reason not to use them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from swarm.bench.statistics.planted import Planted, requests, two_valued
from swarm.bench.statistics.trials import FAMILIES, SEEDS, Row, covers, flown, row
from swarm.experiments.statistics.signed_ranks import ALPHA, Array, Estimate
from swarm.experiments.statistics.stopping import StopWhen

SHARE = 0.1                          # of the trials: a difference of many points needs few
RESAMPLES = 500
OFTEN = StopWhen(half_width=0.5, first=6, batch=1)


def interval_references(planted: Planted, trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Student's t and the percentile bootstrap, both of the mean, whose truth they are held to."""
    for n in SEEDS:
        differences = planted.differences(rng, (round(SHARE * trials), n))
        for of, found in (("Student t", student(differences)), ("bootstrap", bootstrap(differences, rng))):
            yield row("coverage", of, planted.name, n, covers(found, planted.mean))


def pooled_references(trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Student's t over the requests of all runs, as if each were independent."""
    for n in SEEDS:
        shape = (round(SHARE * trials), n)
        apart = requests(rng, shape) - requests(rng, shape)
        yield row("coverage", "requests pooled", "correlated", n, covers(student(apart.reshape(len(apart), -1))))


def two_valued_rows(trials: int, rng: np.random.Generator) -> tuple[Row, Row]:
    """The worst case for looking often: our rule, and the reference, a plain 95 % interval at each look."""
    differences = two_valued(rng, (round(FAMILIES * trials), OFTEN.most))
    _, p, seeds = flown(differences, OFTEN, OFTEN.alpha)
    _, plain, fewer = flown(differences, OFTEN, ALPHA)
    return (row("false_positive", "stop_when", "two_valued", seeds, OFTEN.adjusted(p) <= ALPHA),
            row("false_positive", "stop_when at 95 %", "two_valued", fewer, plain <= ALPHA))


def student(values: Array) -> Estimate:
    """Interval of the mean; values: (trials, n)."""
    from scipy.stats import t

    n = values.shape[-1]
    mean, half = values.mean(axis=-1), t(n - 1).isf(ALPHA / 2.0) * values.std(axis=-1, ddof=1) / np.sqrt(n)
    return Estimate(mean, mean - half, mean + half)


def bootstrap(values: Array, rng: np.random.Generator) -> Estimate:
    """Percentile interval of the mean over resampled values; values: (trials, n)."""
    n = values.shape[-1]
    means = np.array([rng.choice(one, (RESAMPLES, n)).mean(axis=-1) for one in values])
    return Estimate(values.mean(axis=-1), *np.quantile(means, (ALPHA / 2.0, 1.0 - ALPHA / 2.0), axis=-1))
