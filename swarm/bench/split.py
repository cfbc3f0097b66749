"""The cost of cutting a network: whole against balanced 2-, 4- and 8-way splits in one process, interleaved.

The default network is SqueezeNet of the onnx package with random weights: about 10 ms on one core. Each time is the
shortest of three runs in a row, which removes most of the noise of a busy host. Each ratio is a median over the rounds:
time of the split network / time of the whole network in the same round.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.build.measure.timing import Stopwatch, interleaved
from models.pipeline import Pipeline
from models.session import Session
from swarm.telemetry.text_table import text_table

if TYPE_CHECKING:
    from models.build.measure.split_files import SplitFiles

NEEDS = ("onnx",)
MODEL = "squeezenet"
SPLITS = (2, 4, 8)
THREADS = (1, 2)
ROUNDS = 60
REPEATS = 3
INPUTS = 8
PAUSE_S = 0.003


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", metavar="NAME", default=MODEL, help=f"the network to cut; default: {MODEL}")


def measure(model: str = MODEL) -> dict[str, Any]:
    """`whole_ms_Nt` and `ratioK_Nt` for K stages and N threads; `ratioK_Nt_spread`: interquartile range."""
    from models.build.measure.split_files import write_split_files

    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        network = write_split_files(model, SPLITS, Path(folder), INPUTS)
        steps = {(stages, threads): _step(network, [Session(path, threads) for path in paths])
                 for threads in THREADS for stages, paths in network.stages.items()}
    took = {key: ms[:, 0] for key, ms in interleaved(steps, ROUNDS, pause_s=PAUSE_S).items()}
    figures: dict[str, Any] = {
        "model": model, "rounds": ROUNDS, "stages": [len(network.stages[stages]) for stages in SPLITS]}
    for threads in THREADS:
        figures[f"whole_ms_{threads}t"] = round(float(np.median(took[1, threads])), 3)
        for stages in SPLITS:
            low, middle, high = np.quantile(took[stages, threads] / took[1, threads], (0.25, 0.5, 0.75))
            figures[f"ratio{stages}_{threads}t"] = round(float(middle), 3)
            figures[f"ratio{stages}_{threads}t_spread"] = round(float(high - low), 3)
    return figures


def _step(network: SplitFiles, sessions: Sequence[Session]) -> Callable[[], list[float]]:
    """Run the sessions as a chain on the next input, and return the shortest of REPEATS times, ms."""
    chain = Pipeline(sessions, network.inputs, network.outputs)
    inputs, watch = itertools.cycle(network.sample_inputs), Stopwatch()

    def step() -> list[float]:
        tensors = next(inputs)
        return [min(watch.time_ms(lambda: chain.run(tensors)) for _ in range(REPEATS))]

    return step


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    progress(f"{given.model}, whole and in {', '.join(map(str, SPLITS))} stages, {ROUNDS} rounds")
    return measure(given.model)


def as_text(figures: dict[str, Any]) -> str:
    """A row per number of threads: time of the whole network, then the ratios."""
    rows = [(f"{threads}", f"{figures[f'whole_ms_{threads}t']}", *(
        f"{figures[f'ratio{stages}_{threads}t']:.2f} (spread {figures[f'ratio{stages}_{threads}t_spread']:.2f})"
        for stages in SPLITS)) for threads in THREADS]
    header = (f"{figures['model']}, threads", "whole ms", *(f"{stages}-way / whole" for stages in SPLITS))
    return text_table(header, rows, right=range(1, len(header)))
