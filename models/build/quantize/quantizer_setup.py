"""The setup of the quantizer for one model: calibration inputs, a judge of variants, and the metrics for the card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from onnx import ModelProto

from models.build.measure.runner import Runner
from models.build.quantize.calibration_inputs import WORLD, camera_inputs, inputs_of, is_camera
from models.build.quantize.gates import Agreement, Judge, Labelled
from models.build.quantize.int8_graphs import Inputs
from models.build.train import frame_sets
from models.build.train.evaluate import evaluate
from models.build.train.frame_sets import Frames
from swarm.core.settings.cards import AGREEMENT, Card, SizeError
from swarm.core.settings.errors import BadInput

Say = Callable[[str], None]
LABELLED = ("detect", "segment")
"""Tasks for which our worlds give labels."""


class QuantizerSetup(msgspec.Struct, frozen=True, kw_only=True):
    """See `setup_for`; `measure` returns a graph's metrics and error model."""

    inputs: Sequence[Inputs]
    judge: Judge
    measure: Callable[[ModelProto], tuple[dict[str, float], list[SizeError]]]


def setup_for(card: Card, model: ModelProto, source: str, folder: Path, say: Say) -> QuantizerSetup:
    """The setup with inputs from `world`, `random`, or files; a labelled task is judged by its own metric on frames.

    Without labels, half of the inputs are for calibration, and outputs are compared on the other half. Rendered frames
    are cached in `folder`. Raises: BadInput.
    """
    if is_labelled(card):
        calibration = (frames(card.task, "calibrate", folder, say).images if source == WORLD else None)
        inputs = inputs_of(source, card, model) if calibration is None else camera_inputs(calibration, card)
        choose, test = (frames(card.task, kind, folder, say) for kind in ("choose", "test"))
        return labelled(card, model, inputs, choose, test)
    if source == WORLD and not is_camera(card):
        raise BadInput(f"--calibrate {WORLD}", f"{card.name} takes no frames of a camera, uint8 [1, 72, 96, 3]",
                       "random, or .npy or .npz files")
    inputs = (camera_inputs(frames(card.task, "calibrate", folder, say).images, card) if source == WORLD
              else inputs_of(source, card, model))
    judge = Agreement(model, inputs[1::2])
    return QuantizerSetup(inputs=inputs[::2], judge=judge, measure=lambda graph: ({AGREEMENT: judge.score(graph)}, []))


def is_labelled(card: Card) -> bool:
    """Whether the variants of a model are judged by what our worlds know: the shipped ones are."""
    return card.task in LABELLED and card.primary_metric != AGREEMENT


def labelled(card: Card, model: ModelProto, inputs: Sequence[Inputs], choose: Frames, test: Frames) -> QuantizerSetup:
    """The setup for a labelled task: `choose` judges variants, `test` gives the metrics for the card."""
    return QuantizerSetup(
        inputs=inputs, judge=Labelled(card.task, card.primary_metric, model, choose),
        measure=lambda graph: evaluate(card.task, Runner(graph), test),
    )


def frames(task: str, kind: str, folder: Path, say: Say) -> Frames:
    """The frames of our worlds for models of a task, `segment` or any other."""
    task = task if task in frame_sets.SCENARIOS else "detect"
    return frame_sets.load(task, kind, *frame_sets.USED[kind], folder=folder, say=say)
