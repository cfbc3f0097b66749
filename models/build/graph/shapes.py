"""Element type and shape of every tensor of a graph: inferred, or observed in runs if inference fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, shape_inference

from models.build.graph.order import bodies
from models.build.graph.tensors import DTYPES, ELEMENTS, spec_of
from models.build.measure.random_inputs import Given, random_inputs
from models.build.measure.runner import Runner, RunnerError, exposed
from swarm.core.settings.cards import TensorSpec

PROBES = 3
"""Inputs on which a static shape must be the same: zeros and random ones, each with both signs."""


def inferred(model: ModelProto) -> dict[str, TensorSpec]:
    """The results of ONNX's inference, else the file's value infos, which may be outdated.

    If a body and the outer graph use the same name, the outer tensor counts.
    """
    bare = ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    known = _known(model.graph) | {
        name: spec for name, spec in _known(shape_inference.infer_shapes(bare, data_prop=True).graph).items() if spec}
    dense = [(tensor, tensor.dims) for tensor in model.graph.initializer]
    sparse = [(tensor.values, tensor.dims) for tensor in model.graph.sparse_initializer]
    constants = {
        tensor.name: TensorSpec(name=tensor.name, dtype=DTYPES[tensor.data_type], shape=list(dims))
        for tensor, dims in (*dense, *sparse) if tensor.data_type in DTYPES
    }
    return constants | {name: spec for name, spec in known.items() if spec is not None}


def _known(graph: GraphProto) -> dict[str, TensorSpec | None]:
    own = {value.name: spec_of(value) for value in [*graph.value_info, *graph.output, *graph.input]}
    inner = {name: spec for node in graph.node for body in bodies(node) for name, spec in _known(body).items()}
    return inner | own


def probed(
    model: ModelProto, names: Sequence[str], given: Given | None = None
) -> tuple[dict[str, TensorSpec], dict[str, str]]:
    """Run the model with `names` as outputs. Returns: specs of tensors; for the others, why they have none."""
    try:
        runner = Runner(exposed(model, names), optimise=False)
        kinds = {name: runner.kinds[name] for name in names}
        wanted = [name for name, kind in kinds.items() if kind in ELEMENTS]
        runs = [runner.run_named(_signed(feed, sign, given or {}), wanted)
                for feed in random_inputs(model, PROBES, zeros_first=True, given=given) for sign in (1, -1)]
    except RunnerError as error:
        return {}, dict.fromkeys(names, f"its type cannot be found: {error}")
    refused = {name: f"its type, {kind}, is not supported" for name, kind in kinds.items() if name not in wanted}
    seen: dict[str, TensorSpec] = {}
    for name in wanted:
        shapes = {run[name].shape for run in runs}
        if len(shapes) > 1:
            refused[name] = "its shape depends on the input"
        else:
            seen[name] = TensorSpec(name=name, dtype=kinds[name], shape=list(shapes.pop()))
    return seen, refused


def _signed(feed: Mapping[str, NDArray], sign: int, given: Given) -> dict[str, NDArray]:
    """The input with the sign of its random floats changed; arrays without axes stay arrays."""
    return {name: np.asarray(value * sign, value.dtype) if value.dtype.kind == "f" and name not in given else value
            for name, value in feed.items()}
