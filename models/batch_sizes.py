"""Several inputs in one run: how many at once pay, and what any number of them takes. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from swarm.core.policy.plan import MOST_AT_ONCE
from swarm.core.settings.cards import RunTime

SIZES = (2, 4, MOST_AT_ONCE)
"""Inputs at once that are tried and timed; numbers between them are taken to lie between them."""

GAIN = 0.05
"""Of the time of one run each: inputs that run at once and save less only wait for each other."""


def paying(whole: RunTime, batches: Mapping[int, RunTime]) -> list[RunTime]:
    """What 1, 2, ... inputs take at once, as far as more of them take less time each; empty where none do.

    whole: of one input. batches: as measured, by number of inputs. The largest number is the first after which the
    median per input no longer falls, and by it at least `GAIN` is saved.
    """
    known = {1: whole}
    for inputs in sorted(batches):
        if _each_ms(inputs, batches[inputs]) >= _each_ms(*list(known.items())[-1]):
            break
        known[inputs] = batches[inputs]
    most = max(known)
    if most == 1 or _each_ms(most, known[most]) > (1.0 - GAIN) * whole.p50_ms:
        return []
    sizes = sorted(known)
    made = [whole]
    for few, many in pairwise(sizes):
        made += [_between(known[few], known[many], (n - few) / (many - few)) for n in range(few + 1, many + 1)]
    return made


def _each_ms(inputs: int, time: RunTime) -> float:
    return time.p50_ms / inputs


def _between(below: RunTime, above: RunTime, share: float) -> RunTime:
    """Quantile by quantile."""
    both = zip(below.quantiles_ms, above.quantiles_ms, strict=True)
    return RunTime(quantiles_ms=[round(a + share * (b - a), 4) for a, b in both], runs=min(below.runs, above.runs))
