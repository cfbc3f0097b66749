"""What a network costs when it is cut: whole against balanced 2-, 4- and 8-way splits, all in one process, interleaved.

By default SqueezeNet, as the onnx package has it, with random weights: about 10 ms on one core. Each figure is the
quickest of three runs in a row, so that a host that does other things is not taken for the cost of a cut; each ratio is
the median over the rounds of a split's figure by the whole's in the same round.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.build.measure.ladder import Ladder, ladder
from models.build.measure.measure import Stopwatch, interleaved
from models.pipeline import Pipeline
from models.session import Session

MODEL = "squeezenet"
WAYS = (2, 4, 8)
THREADS = (1, 2)
ROUNDS = 60
REPEATS = 3
INPUTS = 8
PAUSE_S = 0.003


def measure(model: str = MODEL) -> dict[str, float | int | str | list[int]]:
    """`whole_ms_Nt` and `ratioK_Nt` for K stages and N threads; `ratioK_Nt_spread`: between a ratio's quartiles."""
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        network = ladder(model, WAYS, Path(folder), INPUTS)
        steps = {(ways, threads): _step(network, [Session(path, threads) for path in paths])
                 for threads in THREADS for ways, paths in network.stages.items()}
    took = {key: ms[:, 0] for key, ms in interleaved(steps, ROUNDS, pause_s=PAUSE_S).items()}
    figures: dict[str, float | int | str | list[int]] = {
        "model": model, "rounds": ROUNDS, "stages": [len(network.stages[ways]) for ways in WAYS]}
    for threads in THREADS:
        figures[f"whole_ms_{threads}t"] = round(float(np.median(took[1, threads])), 3)
        for ways in WAYS:
            low, middle, high = np.quantile(took[ways, threads] / took[1, threads], (0.25, 0.5, 0.75))
            figures[f"ratio{ways}_{threads}t"] = round(float(middle), 3)
            figures[f"ratio{ways}_{threads}t_spread"] = round(float(high - low), 3)
    return figures


def _step(network: Ladder, sessions: Sequence[Session]) -> Callable[[], list[float]]:
    """Runs the sessions as a chain, on one input after the other, and gives the quickest time of some."""
    chain = Pipeline(sessions, network.inputs, network.outputs)
    inputs, watch = itertools.cycle(network.samples), Stopwatch()

    def step() -> list[float]:
        given = next(inputs)
        return [min(watch.time_ms(lambda: chain.run(given)) for _ in range(REPEATS))]

    return step


def main(as_json: bool, model: str = MODEL) -> int:
    figures = measure(model)
    if as_json:
        print(json.dumps(figures))
        return 0
    for threads in THREADS:
        ratios = ", ".join(f"{ways}-way {figures[f'ratio{ways}_{threads}t']:.2f} (spread "
                           f"{figures[f'ratio{ways}_{threads}t_spread']:.2f})" for ways in WAYS)
        print(f"{model}, {threads} thread{'s' * (threads > 1)}: whole {figures[f'whole_ms_{threads}t']} ms; {ratios}")
    return 0
