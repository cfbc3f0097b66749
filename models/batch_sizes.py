"""Several inputs in one run: the batch sizes that save time, and their run times. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from swarm.core.policy.plan import MOST_AT_ONCE
from swarm.core.settings.cards import RunTime

SIZES = (2, 4, MOST_AT_ONCE)
"""Batch sizes that are checked and timed; times of sizes between them are interpolated."""

MIN_GAIN = 0.05
"""Share of the time of single runs that a batch must save; for less, waiting for each other does not pay."""


def paying(whole: RunTime, batches: Mapping[int, RunTime]) -> list[RunTime]:
    """Run times of 1, 2, ... inputs at once, up to the largest size that pays; empty if none does.

    whole: run time of one input. batches: measured run times by number of inputs. The largest size is the first after
    which the median time per input no longer falls; it saves at least `MIN_GAIN`.
    """
    known = {1: whole}
    for inputs in sorted(batches):
        if _each_ms(inputs, batches[inputs]) >= _each_ms(*list(known.items())[-1]):
            break
        known[inputs] = batches[inputs]
    most = max(known)
    if most == 1 or _each_ms(most, known[most]) > (1.0 - MIN_GAIN) * whole.p50_ms:
        return []
    sizes = sorted(known)
    made = [whole]
    for few, many in pairwise(sizes):
        made += [_between(known[few], known[many], (n - few) / (many - few)) for n in range(few + 1, many + 1)]
    return made


def _each_ms(inputs: int, time: RunTime) -> float:
    return time.p50_ms / inputs


def _between(below: RunTime, above: RunTime, share: float) -> RunTime:
    """Linear interpolation, quantile by quantile."""
    both = zip(below.quantiles_ms, above.quantiles_ms, strict=True)
    return RunTime(quantiles_ms=[round(a + share * (b - a), 4) for a, b in both], runs=min(below.runs, above.runs))
