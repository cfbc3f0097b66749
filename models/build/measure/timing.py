"""Interleaved timing of several steps, so that variations of the host affect all alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from swarm.core.clock import MonotonicClock, ThreadClock
from swarm.core.settings.cards import RunTime, TensorSpec
from swarm.core.units import seconds

Key = TypeVar("Key")
PAUSE_S = 0.03
BLOCKS = 8
"""Number of successive parts of a measurement, whose medians are compared."""

MAX_OTHER_SHARE = 0.15
"""Share of one core that other processes may use in a quiet round."""

WARM_UP = 3
"""Rounds that are not counted, at the start."""

IMAGE_AXES = 3
"""A uint8 tensor with fewer axes may hold indices instead of pixels."""


class Stopwatch:
    """Times calls in milliseconds; with a `ThreadClock` in those of the processor."""

    def __init__(self, clock: MonotonicClock | ThreadClock | None = None) -> None:
        self._clock = clock or MonotonicClock()

    def time_ms(self, call: Callable[[], object]) -> float:
        start_ns = self._clock.now_ns()
        call()
        return seconds(self._clock.now_ns() - start_ns) * 1e3


def interleaved(
    steps: Mapping[Key, Callable[[], Sequence[float]]], rounds: int, *, pause_s: float | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None, other_cpu_s: Callable[[], float] | None = None,
) -> dict[Key, NDArray[np.float64]]:
    """Do every step once a round, each after a pause (`PAUSE_S`); each round begins with another step.

    The pauses imitate streams: caches and cores are idle before each step, as on a robot. A step returns one or more
    figures; the result has them by step, float64 [rounds, figures]. progress: called with rounds done and the total.

    other_cpu_s: processor seconds that other processes have used so far; default: from the operating system. Rounds in
    which they use more than `MAX_OTHER_SHARE` of a core are repeated, up to `rounds` times; the quietest rounds count.
    """
    idle, keys, clock = threading.Event(), list(steps), MonotonicClock()
    other_cpu_s = other_cpu_s or _OtherProcesses()
    figures: dict[Key, list[Sequence[float]]] = {key: [] for key in keys}
    shares: list[float] = []
    for k in range(-WARM_UP, 2 * rounds):
        start_ns, before_s = clock.now_ns(), other_cpu_s()
        for key in keys[k % len(keys):] + keys[:k % len(keys)]:
            idle.wait(PAUSE_S if pause_s is None else pause_s)
            values = steps[key]()
            if k >= 0:
                figures[key].append(values)
        if k >= 0:
            shares.append((other_cpu_s() - before_s) / max(seconds(clock.now_ns() - start_ns), 1e-9))
        quiet = sum(share <= MAX_OTHER_SHARE for share in shares)
        progress(quiet, rounds)
        if quiet == rounds:
            break
    kept = np.sort(np.argsort(shares, kind="stable")[:rounds])
    return {key: np.array(values, float)[kept] for key, values in figures.items()}


class _OtherProcesses:
    """Processor seconds of all other processes, on all cores, including time stolen by a hypervisor."""

    def __init__(self) -> None:
        self._own = psutil.Process()

    def __call__(self) -> float:
        all_cores, own = psutil.cpu_times(), self._own.cpu_times()
        idle_s = all_cores.idle + getattr(all_cores, "iowait", 0.0)
        busy_s = sum(all_cores) - idle_s - getattr(all_cores, "guest", 0.0) - getattr(all_cores, "guest_nice", 0.0)
        return busy_s - own.user - own.system


def run_time(took_ms: NDArray[np.float64]) -> RunTime:
    """The distribution of the times of single runs [n]."""
    return RunTime(quantiles_ms=np.quantile(took_ms, np.linspace(0, 1, 21)).round(4).tolist(), runs=len(took_ms))


def spread(took_ms: NDArray[np.float64]) -> float:
    """Range of the medians of successive blocks, relative to their median."""
    medians = [float(np.median(block)) for block in np.array_split(took_ms, BLOCKS) if len(block)]
    return round((max(medians) - min(medians)) / float(np.median(medians)), 4)


def timing_inputs(specs: Sequence[TensorSpec], rng: np.random.Generator) -> dict[str, NDArray]:
    """Random inputs for timing: pixels for images, a normal distribution for floats, 0 or 1 for all other integers."""
    tensors: dict[str, NDArray] = {}
    for spec in specs:
        kind = np.dtype(spec.dtype)
        if kind.kind == "f":
            tensors[spec.name] = np.asarray(rng.standard_normal(spec.shape), kind)
        else:
            pixels = kind == np.uint8 and len(spec.shape) >= IMAGE_AXES
            tensors[spec.name] = np.asarray(rng.integers(0, 256 if pixels else 2, spec.shape), kind)
    return tensors
