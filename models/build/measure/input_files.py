"""Inputs from files of the user: a .npy of one input, or a .npz with an array per input."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from swarm.core.settings.cards import TensorSpec
from swarm.core.settings.errors import BadInput


def given_inputs(texts: Sequence[str], specs: Sequence[TensorSpec]) -> dict[str, list[NDArray]]:
    """The values of single inputs, from arguments NAME=FILE.npy; a file has one, or many along one more axis.

    Raises: BadInput that names the argument or the file.
    """
    known, found = {spec.name: spec for spec in specs}, {}
    for text in texts:
        name, _, file = text.rpartition("=")
        if not name or not file.endswith(".npy"):
            raise BadInput(f"--input {text}", "is not NAME=FILE.npy", "like --input lengths=lengths.npy")
        if name not in known:
            raise BadInput(f"--input {text}", f"no input is called {name!r}", f"inputs: {', '.join(known)}")
        found[name] = _rows(_arrays(Path(file), [known[name]])[name], known[name], Path(file))
    return found


def inputs_in(path: Path, specs: Sequence[TensorSpec]) -> list[dict[str, NDArray]]:
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
        raise BadInput(str(path), f"cannot be read: {error}", "a .npy or .npz file") from None


def _rows(array: NDArray, spec: TensorSpec, path: Path) -> list[NDArray]:
    """Tensors of one input. A batch axis of size 1 may be missing, or hold many inputs."""
    if array.dtype != np.dtype(spec.dtype):
        raise BadInput(str(path), f"{spec.name} is {array.dtype}", f"the model takes {spec.dtype}")
    shape = tuple(spec.shape)
    if array.shape == shape:
        return [array]
    if array.ndim and array.shape[1:] == shape:
        return [array[i, ...] for i in range(len(array))]        # with the dots, a scalar stays an array
    if array.ndim and shape[:1] == (1,) and array.shape[1:] == shape[1:]:
        return [row[None] for row in array]
    if shape[:1] == (1,) and array.shape == shape[1:]:
        return [array[None]]
    raise BadInput(str(path), f"{spec.name} has shape {list(array.shape)}",
                   f"the model takes {spec.shape}, or many of them along one more axis in front")
