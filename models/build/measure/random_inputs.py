"""Random inputs for a graph, of the ranges that its inputs have: pixels, activations, indices into a table, masks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from models.build.graph.tensors import spec_of
from swarm.core.settings.cards import TensorSpec

SEED = 7
FLAGS = 2
"""Integers that index nothing are taken for flags: 0 or 1 are in the range of most uses."""

ON_THE_WAY = {"Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity", "Transpose"}
TABLES = {"Gather": (0, 1), "EmbedLayerNormalization": (2, 0)}
"""Operator -> which of its inputs is a table, and which are the indices."""


def samples(model: ModelProto, count: int, *, zeros_first: bool = False) -> Iterator[dict[str, NDArray]]:
    """`count` inputs, the same for the same model; with `zeros_first` the first of them is all zeros."""
    draws = np.random.default_rng(SEED)
    constant = {tensor.name for tensor in model.graph.initializer}
    specs = [spec for value in model.graph.input
             if value.name not in constant and (spec := spec_of(value))]
    limits = {spec.name: _limits(model, spec) for spec in specs}
    for i in range(count):
        if zeros_first and i == 0:
            yield {spec.name: np.zeros(spec.shape, spec.dtype) for spec in specs}
        else:
            yield {spec.name: _drawn(spec, limits[spec.name], draws) for spec in specs}


def _drawn(spec: TensorSpec, limits: tuple[int, int], draws: np.random.Generator) -> NDArray:
    kind = np.dtype(spec.dtype)
    if kind.kind == "f":
        levels = draws.standard_normal([*spec.shape[:2], *[1] * (len(spec.shape) - 2)])
        return np.asarray(draws.standard_normal(spec.shape) + levels, kind)      # the mean of noise alone says nothing
    return np.asarray(draws.integers(*limits, spec.shape), kind)


def _limits(model: ModelProto, spec: TensorSpec) -> tuple[int, int]:
    """The least value of an input that is not float, and one more than the greatest."""
    kind = np.dtype(spec.dtype)
    if kind.kind not in "iu":
        return 0, FLAGS
    rows = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            rows[node.output[0]] = node.attribute[0].t.dims
    same, limits = {spec.name}, []
    for node in model.graph.node:
        if node.op_type in ON_THE_WAY and node.input[0] in same:
            same.update(node.output)
        elif node.op_type in TABLES:
            table, index = TABLES[node.op_type]
            if node.input[index] in same and node.input[table] in rows:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
                limits.append(rows[node.input[table]][axis])
    if limits:
        return 0, min(limits)
    return (int(np.iinfo(kind).min), int(np.iinfo(kind).max) + 1) if kind.itemsize == 1 else (0, FLAGS)
