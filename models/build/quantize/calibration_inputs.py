"""Inputs to calibrate and to compare on: rendered frames, random ones, or what the user recorded."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.measure.random_inputs import random_inputs
from models.build.quantize.int8_graphs import Inputs
from models.camera_input import ImageInput
from sim_worlds.sensors.suite import CAMERA
from swarm.core.settings.cards import Card, TensorSpec
from swarm.core.settings.errors import BadInput

WORLD, RANDOM = "world", "random"
COUNT = 64
LEAST = 4
"""Half of the inputs calibrate, half are compared on."""


def is_camera(card: Card) -> bool:
    """Whether the model takes what our worlds render."""
    return [(spec.dtype, spec.shape) for spec in card.inputs] == [("uint8", [1, CAMERA.height_px, CAMERA.width_px, 3])]


def inputs_of(source: str, card: Card, model: ModelProto, least: int = LEAST) -> list[Inputs]:
    """At least `least` inputs of a source that is not the world. Raises: BadInput that names the file."""
    if source == RANDOM:
        return list(samples(model, COUNT))
    place = Path(source)
    files = sorted([*place.glob("*.npy"), *place.glob("*.npz")]) if place.is_dir() else [place]
    found = [given for path in files for given in _read(path, card.inputs)]
    if len(found) < least:
        raise BadInput(source, f"has {len(found)} inputs", f"{least} or more, in .npy or .npz files")
    return found


def camera_inputs(images: NDArray[np.uint8], card: Card) -> list[Inputs]:
    """Frames uint8 [n, height, width, 3] as the card's one input. Raises: ModelError, ValueError for another shape."""
    image_input = ImageInput.of(card)
    return [image_input.preprocess(image) for image in images]


def _read(path: Path, specs: Sequence[TensorSpec]) -> list[Inputs]:
    """One file: a .npy of the one input, or a .npz with an array per input; single ones, or many along axis 0."""
    if path.suffix != ".npz" and (path.suffix != ".npy" or len(specs) > 1):
        raise BadInput(str(path), "cannot be read", f".npz with arrays {', '.join(spec.name for spec in specs)}"
                       + (", or .npy" if len(specs) == 1 else ""))
    arrays = _arrays(path, specs)
    lacking = [spec.name for spec in specs if spec.name not in arrays]
    if lacking:
        raise BadInput(str(path), f"has no array {', '.join(lacking)}", f"found {', '.join(arrays) or 'none'}")
    columns = {spec.name: _rows(arrays[spec.name], spec, path) for spec in specs}
    counts = {len(rows) for rows in columns.values()}
    if len(counts) > 1:
        raise BadInput(str(path), "has arrays of different lengths", "as many of each input")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrays(path: Path, specs: Sequence[TensorSpec]) -> Mapping[str, NDArray]:
    """What a file holds, by name; numpy tells by its content whether it is one array or an archive of many."""
    try:
        held = np.load(path, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return {specs[0].name: held}
        with held:
            return dict(held)
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise BadInput(str(path), f"cannot be read: {error}", "world, random, or .npy or .npz files") from None


def _rows(array: NDArray, spec: TensorSpec, path: Path) -> list[NDArray]:
    """Tensors of one input. A batch axis of one may be left out or hold many."""
    if array.dtype != np.dtype(spec.dtype):
        raise BadInput(str(path), f"{spec.name} is {array.dtype}", f"the model takes {spec.dtype}")
    shape = tuple(spec.shape)
    if array.shape == shape:
        return [array]
    if array.shape[1:] == shape:
        return list(array)
    if shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return [row[None] for row in array]
    if shape[:1] == (1,) and array.shape == shape[1:]:
        return [array[None]]
    raise BadInput(str(path), f"{spec.name} has shape {list(array.shape)}",
                   f"the model takes {spec.shape}, or many of them along one more axis in front")
