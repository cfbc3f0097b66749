"""Times a batch of inputs against the same number of single runs in a row.

Both begin after a pause, as a run of a stream does: only the first run of a row has cold caches. Only the ratio counts;
cards and profiles have batch times scaled by it from their run times of one input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.batch_sizes import SIZES
from models.build.measure.timing import Stopwatch, interleaved, run_time, timing_inputs
from models.session import Session
from swarm.core.settings.cards import Provider, RunTime, Variant

Key = TypeVar("Key")
Step = Callable[[], Sequence[float]]

LONGEST_MS = 75.0
"""Batches that are expected to take longer are not timed: hardly any deadline allows them."""

ROUNDS = 120


def sizes(variant: Variant, on: Sequence[Provider] = ("cpu",)) -> list[int]:
    """The batch sizes that are timed for a variant."""
    most = 1 if "tensorrt" in on else variant.batch          # its sessions have a fixed batch size of 1
    return [n for n in SIZES if n <= most and n * variant.run_time.p50_ms <= LONGEST_MS]


def steps(session: Session, inputs: int, watch: Stopwatch | None = None) -> tuple[Step, Step]:
    """Two steps, in milliseconds: `inputs` single runs in a row, and one run of a batch of that size."""
    draws, watch = np.random.default_rng(7), watch or Stopwatch()
    many = [msgspec.structs.replace(spec, shape=[inputs, *spec.shape[1:]]) for spec in session.inputs]

    def row() -> list[float]:
        each = [timing_inputs(session.inputs, draws) for _ in range(inputs)]
        return [watch.time_ms(lambda: [session.run(tensors) for tensors in each])]

    def together() -> list[float]:
        tensors = timing_inputs(many, draws)
        return [watch.time_ms(lambda: session.run(tensors))]

    return row, together


def scaled(row_ms: NDArray[np.float64], together_ms: NDArray[np.float64], inputs: int, one: RunTime) -> RunTime:
    """Run time of a batch, scaled to the run time `one` of one input, with the measured distribution; [rounds, 1]."""
    ratio = float(np.median(together_ms / row_ms))
    return run_time(together_ms[:, 0] * (inputs * ratio * one.p50_ms / float(np.median(together_ms))))


def times(files: Mapping[Key, tuple[Path, Variant]], rounds: int = ROUNDS) -> dict[Key, dict[int, RunTime]]:
    """Batch run times of each file by batch size, scaled to its variant's run time; all are timed interleaved."""
    pairs = {(key, n): steps(Session(path), n) for key, (path, variant) in files.items() for n in sizes(variant)}
    took = interleaved({(*entry, i): pair[i] for entry, pair in pairs.items() for i in (0, 1)}, rounds)
    return {key: {n: scaled(took[key, n, 0], took[key, n, 1], n, variant.run_time) for n in sizes(variant)}
            for key, (_, variant) in files.items()}
