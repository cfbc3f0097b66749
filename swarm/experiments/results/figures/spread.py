"""How figures of several runs are drawn together: their median, and how far it can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures.stats import needed, quantile_interval

Array = NDArray[np.float64]
LEAST = needed(0.5)                  # runs that an interval of the median needs


class Spread(NamedTuple):
    """Medians, each between `low` and `high`; infinite: beyond the last result."""

    median: Array
    low: Array
    high: Array


def spread(values: Array) -> Spread:
    """Over the first axis, that of the runs. From LEAST runs on, the 95 % interval of the median between two order
    statistics (see `quantile_interval`); of fewer runs, the least and the largest."""
    ordered, n = np.sort(values, axis=0), values.shape[0]
    low, high = 0, n - 1
    if n >= LEAST:
        low, high = (int(place) for place in quantile_interval(np.arange(n, dtype=np.float64), 0.5))
    left, right = ordered[(n - 1) // 2], ordered[n // 2]
    return Spread(np.where(left == right, left, (left + right) / 2.0), ordered[low], ordered[high])


def in_words(fewest: int, most: int, what: str) -> str:
    """For the caption: over how many runs, and how `what` is drawn. fewest and most: runs of one median."""
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    kind = ("95 % interval of the median (order statistics)" if fewest >= LEAST
            else "from the least to the largest run, too few for an interval" if most < LEAST
            else f"95 % interval of the median (order statistics); of fewer than {LEAST} runs, from the least to the "
                 "largest")
    return f"Median over {runs} {'run' if most == 1 else 'runs'}; {what}: {kind}."
