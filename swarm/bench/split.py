"""The cost of cutting a network: whole against balanced 2-, 4- and 8-way splits in one process, interleaved.

By default SqueezeNet, as the onnx package has it, with random weights: about 10 ms on one core. Each figure is the
quickest of three runs in a row, so that a host that does other things is not taken for the cost of a cut; each ratio is
the median over the rounds of a split's figure by the whole's in the same round.
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
WAYS = (2, 4, 8)
THREADS = (1, 2)
ROUNDS = 60
REPEATS = 3
INPUTS = 8
PAUSE_S = 0.003


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", metavar="NAME", default=MODEL, help=f"the network to cut; default: {MODEL}")


def measure(model: str = MODEL) -> dict[str, Any]:
    """`whole_ms_Nt` and `ratioK_Nt` for K stages and N threads; `ratioK_Nt_spread`: between a ratio's quartiles."""
    from models.build.measure.split_files import write_split_files

    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        network = write_split_files(model, WAYS, Path(folder), INPUTS)
        steps = {(ways, threads): _step(network, [Session(path, threads) for path in paths])
                 for threads in THREADS for ways, paths in network.stages.items()}
    took = {key: ms[:, 0] for key, ms in interleaved(steps, ROUNDS, pause_s=PAUSE_S).items()}
    figures: dict[str, Any] = {
        "model": model, "rounds": ROUNDS, "stages": [len(network.stages[ways]) for ways in WAYS]}
    for threads in THREADS:
        figures[f"whole_ms_{threads}t"] = round(float(np.median(took[1, threads])), 3)
        for ways in WAYS:
            low, middle, high = np.quantile(took[ways, threads] / took[1, threads], (0.25, 0.5, 0.75))
            figures[f"ratio{ways}_{threads}t"] = round(float(middle), 3)
            figures[f"ratio{ways}_{threads}t_spread"] = round(float(high - low), 3)
    return figures


def _step(network: SplitFiles, sessions: Sequence[Session]) -> Callable[[], list[float]]:
    """Runs the sessions as a chain, on one input after the other, and gives the quickest time of some."""
    chain = Pipeline(sessions, network.inputs, network.outputs)
    inputs, watch = itertools.cycle(network.sample_inputs), Stopwatch()

    def step() -> list[float]:
        given = next(inputs)
        return [min(watch.time_ms(lambda: chain.run(given)) for _ in range(REPEATS))]

    return step


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    tell(f"{given.model}, whole and in {', '.join(map(str, WAYS))} stages, {ROUNDS} rounds")
    return measure(given.model)


def told(figures: dict[str, Any]) -> str:
    """A row per number of threads: the whole, then each split to the whole."""
    rows = [(f"{threads}", f"{figures[f'whole_ms_{threads}t']}", *(
        f"{figures[f'ratio{ways}_{threads}t']:.2f} (spread {figures[f'ratio{ways}_{threads}t_spread']:.2f})"
        for ways in WAYS)) for threads in THREADS]
    header = (f"{figures['model']}, threads", "whole ms", *(f"{ways}-way / whole" for ways in WAYS))
    return text_table(header, rows, right=range(1, len(header)))
