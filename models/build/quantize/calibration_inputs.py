"""Inputs for calibration and comparison: rendered frames, random inputs, or recordings of the user."""

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
MIN_INPUTS = 4
"""Half of the inputs are for calibration, half for the comparison."""


def is_camera(card: Card) -> bool:
    """Whether the model takes the camera frames of our worlds."""
    return [(spec.dtype, spec.shape) for spec in card.inputs] == [("uint8", [1, CAMERA.height_px, CAMERA.width_px, 3])]


def inputs_of(source: str, card: Card, model: ModelProto, min_count: int = MIN_INPUTS) -> list[Inputs]:
    """At least `min_count` inputs, random or from files. Raises: BadInput that names the file."""
    if source == RANDOM:
        return list(random_inputs(model, COUNT))
    root = Path(source)
    files = sorted([*root.glob("*.npy"), *root.glob("*.npz")]) if root.is_dir() else [root]
    found = [inputs for path in files for inputs in _read(path, card.inputs)]
    if len(found) < min_count:
        raise BadInput(source, f"has {len(found)} inputs", f"{min_count} or more, in .npy or .npz files")
    return found


def camera_inputs(images: NDArray[np.uint8], card: Card) -> list[Inputs]:
    """Frames uint8 [n, height, width, 3] as the card's one input. Raises: ModelError, ValueError for another shape."""
    image_input = ImageInput.of(card)
    return [image_input.preprocess(image) for image in images]


def _read(path: Path, specs: Sequence[TensorSpec]) -> list[Inputs]:
    """The inputs in a file: a .npy of the only input, or a .npz with an array per input; one, or many along axis 0."""
    if path.suffix != ".npz" and (path.suffix != ".npy" or len(specs) > 1):
        raise BadInput(str(path), "cannot be read", f".npz with arrays {', '.join(spec.name for spec in specs)}"
                       + (", or .npy" if len(specs) == 1 else ""))
    arrays = _arrays(path, specs)
    missing = [spec.name for spec in specs if spec.name not in arrays]
    if missing:
        raise BadInput(str(path), f"has no array {', '.join(missing)}", f"found {', '.join(arrays) or 'none'}")
    columns = {spec.name: _rows(arrays[spec.name], spec, path) for spec in specs}
    counts = {len(rows) for rows in columns.values()}
    if len(counts) > 1:
        raise BadInput(str(path), "has arrays of different lengths", "as many of each input")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrays(path: Path, specs: Sequence[TensorSpec]) -> Mapping[str, NDArray]:
    """The arrays in a file by name; numpy detects by the content whether it is one array or an archive."""
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return {specs[0].name: content}
        with content:
            return dict(content)
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise BadInput(str(path), f"cannot be read: {error}", "world, random, or .npy or .npz files") from None


def _rows(array: NDArray, spec: TensorSpec, path: Path) -> list[NDArray]:
    """Tensors of one input. A batch axis of size 1 may be missing, or hold many inputs."""
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
