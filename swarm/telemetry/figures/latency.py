"""Keys `latency_ms`, `on_time_interval` and `after_warmup` of `summary.json`, taken over due frames."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures import stats
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.summary_types import AfterWarmup, Bounds, Latency

OF_RESULTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
OF_ALL = {"p95_all": 0.95, "p99_all": 0.99}


def latency(frames: DueFrames) -> Latency:
    """Quantiles of the latency: over the results, and over all due frames, in which no result is infinitely late."""
    all_ms = frames.latency_s * 1e3
    made = Latency()
    for values_ms, quantiles in ((all_ms[np.isfinite(all_ms)], OF_RESULTS), (all_ms, OF_ALL)):
        for name, q in quantiles.items():
            _set(made, name, values_ms, q)
    return made


def on_time(frames: DueFrames) -> tuple[float, Bounds | None]:
    """The share of the frames with a result by the deadline, and its interval; 0 and None of no frame."""
    hits, of = int(frames.on_time.sum()), len(frames)
    interval = stats.share_interval(hits, of)
    return hits / of if of else 0.0, interval and [round(interval.low, 6), round(interval.high, 6)]


def after_warmup(frames: DueFrames, warmup_s: float) -> AfterWarmup:
    """The figures over the frames that fell due once the warm-up was over."""
    kept = frames.where(frames.due_s >= warmup_s)
    ratio, interval = on_time(kept)
    return AfterWarmup(from_s=warmup_s, due=len(kept), on_time_ratio=round(ratio, 6), on_time_interval=interval,
                       latency_ms=latency(kept))


def _set(made: Latency, name: str, values_ms: NDArray[np.float64], q: float) -> None:
    found = stats.quantile(values_ms, q)
    if found is not None:
        setattr(made, name, _finite(found.value))
        setattr(made, f"{name}_interval", [_finite(found.interval.low), _finite(found.interval.high)])


def _finite(value_ms: float) -> float | None:
    return round(value_ms, 6) if math.isfinite(value_ms) else None
