"""Timing of several things in turn, so that the host's moods fall on all alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from swarm.core.clock import MonotonicClock
from swarm.core.settings.cards import RunTime, TensorSpec
from swarm.core.units import seconds

Key = TypeVar("Key")
PAUSE_S = 0.03
BLOCKS = 8
"""Parts of a measurement whose medians are compared."""

OTHERS = 0.15
"""Of one core: what other processes may have during a round that counts."""

WARM_UP = 3
"""Rounds before those that count."""

IMAGE_AXES = 3
"""Bytes with fewer axes may be indices rather than pixels."""


class Stopwatch:
    """Milliseconds of calls, one after the other."""

    def __init__(self) -> None:
        self._clock = MonotonicClock()

    def time_ms(self, call: Callable[[], object]) -> float:
        start_ns = self._clock.now_ns()
        call()
        return seconds(self._clock.now_ns() - start_ns) * 1e3


def interleaved(
    steps: Mapping[Key, Callable[[], Sequence[float]]], rounds: int, *, pause_s: float | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None, others_s: Callable[[], float] | None = None,
) -> dict[Key, NDArray[np.float64]]:
    """Do every step once a round, each after a pause (`PAUSE_S`), each round beginning with another one.

    Paced like streams: caches and cores have been idle before each step, as they are on a robot. A step returns one or
    more figures; the result has them by step, float64 [rounds, figures]. `progress` is told rounds done, of how many.

    others_s: seconds of processor time that other processes have had so far, by default as the operating system counts
    them. While they have more than `OTHERS` of a core, rounds are added, at most as many again, and the quietest kept.
    """
    idle, keys, clock = threading.Event(), list(steps), MonotonicClock()
    others_s = others_s or _Others()
    figures: dict[Key, list[Sequence[float]]] = {key: [] for key in keys}
    shares: list[float] = []
    for k in range(-WARM_UP, 2 * rounds):
        start_ns, before_s = clock.now_ns(), others_s()
        for key in keys[k % len(keys):] + keys[:k % len(keys)]:
            idle.wait(PAUSE_S if pause_s is None else pause_s)
            taken = steps[key]()
            if k >= 0:
                figures[key].append(taken)
        if k >= 0:
            shares.append((others_s() - before_s) / max(seconds(clock.now_ns() - start_ns), 1e-9))
        quiet = sum(share <= OTHERS for share in shares)
        progress(quiet, rounds)
        if quiet == rounds:
            break
    kept = np.sort(np.argsort(shares, kind="stable")[:rounds])
    return {key: np.array(taken, float)[kept] for key, taken in figures.items()}


class _Others:
    """Processor time of everything but this process, on all cores, what a hypervisor took included."""

    def __init__(self) -> None:
        self._own = psutil.Process()

    def __call__(self) -> float:
        all_cores, own = psutil.cpu_times(), self._own.cpu_times()
        idle_s = all_cores.idle + getattr(all_cores, "iowait", 0.0)
        busy_s = sum(all_cores) - idle_s - getattr(all_cores, "guest", 0.0) - getattr(all_cores, "guest_nice", 0.0)
        return busy_s - own.user - own.system


def run_time(took_ms: NDArray[np.float64]) -> RunTime:
    """The distribution of single runs [n]."""
    return RunTime(quantiles_ms=np.quantile(took_ms, np.linspace(0, 1, 21)).round(4).tolist(), runs=len(took_ms))


def spread(took_ms: NDArray[np.float64]) -> float:
    """How far the medians of successive blocks lie apart, relative to their median."""
    medians = [float(np.median(block)) for block in np.array_split(took_ms, BLOCKS) if len(block)]
    return round((max(medians) - min(medians)) / float(np.median(medians)), 4)


def drawn(specs: Sequence[TensorSpec], draws: np.random.Generator) -> dict[str, NDArray]:
    """Inputs to time a graph on: pixels for images, a normal distribution for floats, flags for all other integers."""
    tensors: dict[str, NDArray] = {}
    for spec in specs:
        kind = np.dtype(spec.dtype)
        if kind.kind == "f":
            tensors[spec.name] = np.asarray(draws.standard_normal(spec.shape), kind)
        else:
            pixels = kind == np.uint8 and len(spec.shape) >= IMAGE_AXES
            tensors[spec.name] = np.asarray(draws.integers(0, 256 if pixels else 2, spec.shape), kind)
    return tensors
