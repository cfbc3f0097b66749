"""Element type and shape of every tensor of a graph: inferred, or observed in runs if inference fails."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, ModelProto, ValueInfoProto, shape_inference

from models.build.graph.order import bodies
from models.build.graph.tensors import DTYPES, ELEMENTS, spec_of
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner, RunnerError
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
    constants = {
        tensor.name: TensorSpec(name=tensor.name, dtype=DTYPES[tensor.data_type], shape=list(tensor.dims))
        for tensor in model.graph.initializer if tensor.data_type in DTYPES
    }
    return constants | {name: spec for name, spec in known.items() if spec is not None}


def _known(graph: GraphProto) -> dict[str, TensorSpec | None]:
    own = {value.name: spec_of(value) for value in [*graph.value_info, *graph.output, *graph.input]}
    inner = {name: spec for node in graph.node for body in bodies(node) for name, spec in _known(body).items()}
    return inner | own


def probed(model: ModelProto, names: Sequence[str]) -> tuple[dict[str, TensorSpec], dict[str, str]]:
    """Run the model with `names` as outputs. Returns: specs of tensors; for the others, why they have none."""
    shown = ModelProto()
    shown.CopyFrom(model)
    outputs = {value.name for value in shown.graph.output}
    shown.graph.output.extend(ValueInfoProto(name=name) for name in names if name not in outputs)
    try:
        runner = Runner(shown, optimise=False)
        runs = [runner.run_named({key: value * value.dtype.type(sign) if value.dtype.kind == "f" else value
                              for key, value in feed.items()})
                for feed in random_inputs(model, PROBES, zeros_first=True) for sign in (1, -1)]
    except RunnerError as error:
        return {}, dict.fromkeys(names, f"its type cannot be found: {error}")
    seen: dict[str, TensorSpec] = {}
    refused: dict[str, str] = {}
    for name in names:
        values = [run[name] for run in runs]
        kind = str(getattr(values[0], "dtype", type(values[0]).__name__))
        if kind not in ELEMENTS:
            refused[name] = f"its type, {kind}, is not supported"
        elif len({value.shape for value in values}) > 1:
            refused[name] = "its shape depends on the input"
        else:
            seen[name] = TensorSpec(name=name, dtype=kind, shape=list(values[0].shape))
    return seen, refused
