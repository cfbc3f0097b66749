"""Trials on planted truth: the rows of the bench. Every trial goes through the functions that experiments use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.bench.statistics.planted import Planted
from swarm.experiments.statistics.family import holm
from swarm.experiments.statistics.power import seeds_needed
from swarm.experiments.statistics.signed_ranks import ALPHA, Array, Estimate, estimate, p_values
from swarm.experiments.statistics.stopping import StopWhen

SEEDS = (6, 10, 20)
FAMILY = 8                           # comparisons with one reference policy
FAMILIES = 0.25                      # families per trial, and experiments with `stop_when`: they take longer
PLANS = 0.02                         # pilots per trial: hundreds of experiments are drawn to plan for each
PLAN_DRAWS = 400
FLIGHTS = 20                         # experiments flown by each plan
NARROW_AT = 20                       # seeds at whose typical half-width `stop_when` stops
BARS = {"coverage": (0.93, 0.995), "false_positive": (0.0, 0.06), "power": (-0.07, 0.07)}
"""Of the share of intervals that hold the truth, of wrong verdicts, and of power less what was foretold."""

Figure = Literal["coverage", "false_positive", "power"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure on one planted truth."""

    figure: Figure
    of: str                          # what was tried
    truth: str
    seeds: float                     # of an experiment; power: of the pilot; stop_when: flown, on average
    value: float                     # the share; of power the share of experiments that showed the difference
    error: float                     # its standard error, as the trials are finite
    trials: int
    foretold: float | None = None    # power only

    @property
    def met(self) -> bool:
        low, high = BARS[self.figure]
        return low <= self.value - (self.foretold or 0.0) <= high


def interval_rows(planted: Planted, trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Intervals of a difference, and of one policy's figure about its own pseudo-median where it is known."""
    for n in SEEDS:
        differences = planted.differences(rng, (trials, n))
        yield row("coverage", "difference", planted.name, n, covers(estimate(differences)))
        if planted.own is not None:
            one = estimate(planted.a(rng, (trials, n)))
            yield row("coverage", "one policy", planted.name, n, covers(one, planted.own))
        yield row("false_positive", "A/A", planted.name, n, p_values(planted.alike(rng, (trials, n))) <= ALPHA)


def family_rows(planted: Planted, trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Whole families: any wrong verdict of all alike, and of the half that is alike where the other half differs."""
    trials = round(FAMILIES * trials)
    for n in SEEDS:
        reference, others = planted.a(rng, (trials, n)), planted.a(rng, (trials, FAMILY, n))
        same = p_values(others - reference[:, None])
        apart = p_values(others[:, :FAMILY // 2] - reference[:, None] + 2.0 * planted.effect)
        for of, families in (("family, all alike", same),
                             ("family, half alike", np.concatenate([same[:, FAMILY // 2:], apart], axis=1))):
            alike = FAMILY if families is same else FAMILY // 2
            wrong = [min(p for p in holm(one)[:alike] if p is not None) <= ALPHA for one in families.tolist()]
            yield row("false_positive", of, planted.name, n, np.array(wrong))


def stop_rows(planted: Planted, trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Experiments that stop when they are narrow enough: the interval at that look, and the verdict of A/A."""
    trials, rule = round(FAMILIES * trials), StopWhen(half_width=1.0)
    some = estimate(planted.differences(rng, (500, NARROW_AT)), rule.alpha)
    rule = StopWhen(half_width=float(np.median(some.high - some.low)) / 2.0)
    found, _, seeds = flown(planted.differences(rng, (trials, rule.most)), rule, rule.alpha)
    yield row("coverage", "stop_when", planted.name, seeds, covers(found))
    yield false_alarms(planted.name, planted.alike(rng, (trials, rule.most)), rule)


def false_alarms(truth: str, differences: Array, rule: StopWhen) -> Row:
    _, p, seeds = flown(differences, rule, rule.alpha)
    return row("false_positive", "stop_when", truth, seeds, rule.adjusted(p) <= ALPHA)


def flown(differences: Array, rule: StopWhen, alpha: float) -> tuple[Estimate, Array, float]:
    """Experiments in which seeds are added by the rule: estimate and p at the last look, and the mean of the seeds."""
    trials = len(differences)
    found, p = Estimate(*np.empty((3, trials))), np.empty(trials)
    flying, seeds = np.arange(trials), 0
    for n in rule.looks:
        seeds += flying.size * (n - rule.last(n - 1))
        seen = differences[flying, :n]
        now = estimate(seen, alpha)
        done = (now.high - now.low <= 2.0 * rule.half_width) | (n == rule.most)
        for whole, part in zip(found, now, strict=True):
            whole[flying[done]] = part[done]
        if done.any():
            p[flying[done]] = p_values(seen[done])
        flying = flying[~done]
    return found, p, seeds / trials


def power_rows(planted: Planted, trials: int, rng: np.random.Generator) -> Iterator[Row]:
    """Each pilot plans the seeds for a power of 80 %; experiments of so many seeds are flown."""
    for n in SEEDS:
        plans = [seeds_needed(pilot, planted.effect, draws=PLAN_DRAWS, seed=k)
                 for k, pilot in enumerate(planted.differences(rng, (round(PLANS * trials), n)))]
        known = [plan for plan in plans if plan and plan.seeds and plan.power]
        flights = (planted.differences(rng, (FLIGHTS, plan.seeds or 0)) + planted.effect for plan in known)
        shown = [float(np.mean(p_values(one) <= ALPHA)) for one in flights]
        yield Row(figure="power", of="planned for 80 %", truth=planted.name, seeds=n, value=float(np.mean(shown)),
                  error=float(np.std(shown) / np.sqrt(len(shown))), trials=len(known),
                  foretold=float(np.mean([plan.power or 0.0 for plan in known])))


def covers(found: Estimate, truth: float = 0.0) -> NDArray[np.bool_]:
    return (found.low <= truth) & (truth <= found.high)


def row(figure: Figure, of: str, truth: str, seeds: float, right: NDArray[np.bool_]) -> Row:
    share = float(np.mean(right))
    return Row(figure=figure, of=of, truth=truth, seeds=round(seeds, 1), value=share, trials=len(right),
               error=float(np.sqrt(share * (1.0 - share) / len(right))))
