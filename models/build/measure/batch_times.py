"""What several inputs at once take beside as many runs of one in a row.

Both begin after a pause, as a stream's run does: the first run of a row finds cold caches, and the others do not. What
counts is the ratio of the two; a card or a profile has it on the scale of its runs of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.batch_sizes import SIZES
from models.build.measure.timing import Stopwatch, drawn, interleaved, run_time
from models.session import Session
from swarm.core.settings.cards import Provider, RunTime, Variant

Key = TypeVar("Key")
Step = Callable[[], Sequence[float]]

LONGEST_MS = 75.0
"""Of a run of several inputs: none that is expected to take longer is timed, since hardly a deadline would bear it."""

ROUNDS = 120


def sizes(variant: Variant, on: Sequence[Provider] = ("cpu",)) -> list[int]:
    """The numbers of inputs at once that a variant is timed on."""
    most = 1 if "tensorrt" in on else variant.batch          # sessions on it take one
    return [n for n in SIZES if n <= most and n * variant.run_time.p50_ms <= LONGEST_MS]


def steps(session: Session, inputs: int) -> tuple[Step, Step]:
    """Steps that time so many runs of one in a row, and one run of them all; milliseconds."""
    draws, watch = np.random.default_rng(7), Stopwatch()
    many = [msgspec.structs.replace(spec, shape=[inputs, *spec.shape[1:]]) for spec in session.inputs]

    def row() -> list[float]:
        each = [drawn(session.inputs, draws) for _ in range(inputs)]
        return [watch.time_ms(lambda: [session.run(tensors) for tensors in each])]

    def together() -> list[float]:
        tensors = drawn(many, draws)
        return [watch.time_ms(lambda: session.run(tensors))]

    return row, together


def scaled(row_ms: NDArray[np.float64], together_ms: NDArray[np.float64], inputs: int, one: RunTime) -> RunTime:
    """What so many take at once where one takes `one`: distributed as it was measured, round by round [rounds, 1]."""
    ratio = float(np.median(together_ms / row_ms))
    return run_time(together_ms[:, 0] * (inputs * ratio * one.p50_ms / float(np.median(together_ms))))


def times(files: Mapping[Key, tuple[Path, Variant]], rounds: int = ROUNDS) -> dict[Key, dict[int, RunTime]]:
    """Of each file by number of inputs, where one takes what its variant says; all take turns."""
    todo = {(key, n): steps(Session(path), n) for key, (path, variant) in files.items() for n in sizes(variant)}
    took = interleaved({(*entry, way): both[way] for entry, both in todo.items() for way in (0, 1)}, rounds)
    return {key: {n: scaled(took[key, n, 0], took[key, n, 1], n, variant.run_time) for n in sizes(variant)}
            for key, (_, variant) in files.items()}
