"""How well runs in virtual time agree with those in real time: figures of pairs of runs of one seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

CONFIDENCE = 0.95


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared of a run."""

    on_time_ratio: float
    p50_ms: float                    # of the completed requests
    p95_ms: float
    offload_share: float
    headline: float                  # of the mission


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """How far the means may be apart."""

    most: float
    relative: bool = False           # to the mean of the runs in real time
    or_by_chance: bool = False       # or a difference of 0 lies in the paired interval


BARS = {
    "on_time_ratio": Bar(most=0.03), "p50_ms": Bar(most=0.1, relative=True), "p95_ms": Bar(most=0.15, relative=True),
    "offload_share": Bar(most=0.05), "headline": Bar(most=0.1, relative=True, or_by_chance=True),
}
"""By field of `Figures`."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of one seed."""

    seed: int
    real: Figures
    virtual: Figures


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of all pairs. interval: of the mean difference, by Student's t; null of fewer than two pairs."""

    real: float                      # means
    virtual: float
    difference: float                # virtual - real; by the mean in real time if the bar is relative
    interval: tuple[float, float] | None
    bar: float
    holds: bool


def agreements(pairs: Sequence[Pair]) -> dict[str, Agreement]:
    """By field of `Figures`; empty of no pairs."""
    return {name: _agreement([(getattr(pair.real, name), getattr(pair.virtual, name)) for pair in pairs], bar)
            for name, bar in BARS.items()} if pairs else {}


def _agreement(values: Sequence[tuple[float, float]], bar: Bar) -> Agreement:
    real, virtual = np.mean(values, axis=0).tolist()
    unit = max(abs(real), 1e-9) if bar.relative else 1.0
    apart = np.array([b - a for a, b in values]) / unit
    interval = _interval(apart)
    by_chance = bar.or_by_chance and interval is not None and interval[0] <= 0.0 <= interval[1]
    difference = float(apart.mean())
    return Agreement(
        real=round(real, 4), virtual=round(virtual, 4), difference=round(difference, 4),
        interval=interval and (round(interval[0], 4), round(interval[1], 4)), bar=bar.most,
        holds=abs(difference) <= bar.most + 1e-9 or by_chance)


def _interval(apart: np.ndarray) -> tuple[float, float] | None:
    """Of the mean of independent values, by Student's t (Biometrika 6, 1908)."""
    if apart.size < 2:
        return None
    from scipy.stats import t

    half = float(t.ppf(0.5 + CONFIDENCE / 2.0, apart.size - 1)) * float(apart.std(ddof=1)) / math.sqrt(apart.size)
    return float(apart.mean()) - half, float(apart.mean()) + half
