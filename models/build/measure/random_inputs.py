"""Random inputs for a graph, in the ranges of its inputs: pixels, activations, indices into a table, masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.graph.tensors import spec_of
from swarm.core.settings.cards import TensorSpec

Given = Mapping[str, Sequence[NDArray]]
"""Inputs with values of the user instead of random ones: one or more arrays for each."""

SEED = 7
FLAG_VALUES = 2
"""Integers that are not indices are drawn as flags: most uses allow 0 and 1."""

PASS_THROUGH = {"Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity", "Transpose"}
TABLES = {"Gather": (0, 1), "EmbedLayerNormalization": (2, 0)}
"""Operator -> positions of its inputs: the table, and the indices into it."""


def random_inputs(
    model: ModelProto, count: int, *, zeros_first: bool = False, given: Given | None = None, reach: int = 1,
) -> Iterator[dict[str, NDArray]]:
    """`count` inputs, the same for the same model.

    Args: zeros_first: the first input is all zeros. given: values of some inputs, taken in turn. reach: floats are this
    many times as large, and integers that are neither indices nor bytes are at most this large.
    """
    rng = np.random.default_rng(SEED)
    constant = {tensor.name for tensor in model.graph.initializer}
    specs = [spec for value in model.graph.input
             if value.name not in constant and (spec := spec_of(value))]
    limits = {spec.name: _limits(model, spec, reach) for spec in specs}
    for i in range(count):
        drawn = {spec.name: np.zeros(spec.shape, spec.dtype) if zeros_first and i == 0
                 else _random_tensor(spec, limits[spec.name], reach, rng) for spec in specs}
        yield drawn | {name: arrays[i % len(arrays)] for name, arrays in (given or {}).items() if name in drawn}


def _random_tensor(spec: TensorSpec, limits: tuple[int, int], reach: int, rng: np.random.Generator) -> NDArray:
    kind = np.dtype(spec.dtype)
    if kind.kind == "f":
        # a level per channel, because all means of plain noise are the same
        levels = rng.standard_normal([*spec.shape[:2], *[1] * (len(spec.shape) - 2)])
        return np.asarray(reach * (rng.standard_normal(spec.shape) + levels), kind)
    return np.asarray(rng.integers(*limits, spec.shape), kind)


def _limits(model: ModelProto, spec: TensorSpec, reach: int) -> tuple[int, int]:
    """Lower and exclusive upper limit of the values of an input; for floats unused."""
    kind = np.dtype(spec.dtype)
    if kind.kind not in "iu":
        return 0, FLAG_VALUES
    rows = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            rows[node.output[0]] = node.attribute[0].t.dims
    aliases, limits = {spec.name}, []
    for node in model.graph.node:
        if node.op_type in PASS_THROUGH and node.input[0] in aliases:
            aliases.update(node.output)
        elif node.op_type in TABLES:
            table, index = TABLES[node.op_type]
            if node.input[index] in aliases and node.input[table] in rows:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
                limits.append(rows[node.input[table]][axis])
    if limits:
        return 0, min(limits)
    if kind.itemsize == 1:
        return int(np.iinfo(kind).min), int(np.iinfo(kind).max) + 1
    return 0, max(FLAG_VALUES, reach + 1)
