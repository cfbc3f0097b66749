"""Inputs for calibration and comparison: rendered frames, random inputs, or recordings of the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.measure.input_files import inputs_in
from models.build.measure.random_inputs import random_inputs
from models.build.quantize.int8_graphs import Inputs
from models.camera_input import ImageInput, constants_of
from sim_worlds.sensors.suite import CAMERA
from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput

WORLD, RANDOM = "world", "random"
COUNT = 64
MIN_INPUTS = 4
"""Half of the inputs are for calibration, half for the comparison."""


def is_camera(card: Card) -> bool:
    """Whether the model takes the camera frames of our worlds: in the form of its card, or as they are."""
    if card.sensor == "camera" and card.image is not None:
        return True
    return [(spec.dtype, spec.shape) for spec in card.inputs] == [("uint8", [1, CAMERA.height_px, CAMERA.width_px, 3])]


def inputs_of(source: str, card: Card, model: ModelProto, min_count: int = MIN_INPUTS) -> list[Inputs]:
    """At least `min_count` inputs, random or from files. Raises: BadInput that names the file."""
    if source == RANDOM:
        return list(random_inputs(model, COUNT, given=constant_inputs(card)))
    root = Path(source)
    files = sorted([*root.glob("*.npy"), *root.glob("*.npz")]) if root.is_dir() else [root]
    found = [inputs for path in files for inputs in inputs_in(path, card.inputs)]
    if len(found) < min_count:
        raise BadInput(source, f"has {len(found)} inputs", f"{min_count} or more, in .npy or .npz files")
    return found


def constant_inputs(card: Card) -> dict[str, list[NDArray]]:
    """The inputs that are the same in every run, as given ones; none where all are: no output would depend on any."""
    return {} if card.sensor == "timer" else {name: [value] for name, value in constants_of(card).items()}


def camera_inputs(images: NDArray[np.uint8], card: Card) -> list[Inputs]:
    """Frames uint8 [n, height, width, 3] as the card's one input. Raises: ModelError, ValueError for another shape."""
    image_input = ImageInput.of(card)
    return [image_input.preprocess(image) for image in images]
