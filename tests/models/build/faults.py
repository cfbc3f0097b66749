"""Mistakes that a cut could make, planted in one stage."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT, TensorProto.INT8)


def relu_to_neg(stage: ModelProto, draws: np.random.Generator) -> bool:
    """Another activation. Returns whether there was one to change, as all faults do."""
    found = [node for node in stage.graph.node if node.op_type == "Relu"]
    if found:
        found[draws.integers(len(found))].op_type = "Neg"
    return bool(found)


def lost_residual(stage: ModelProto, draws: np.random.Generator) -> bool:
    """A sum of two tensors of the sequence that gives only one of them."""
    constant = {tensor.name for tensor in stage.graph.initializer}
    constant |= {name for node in stage.graph.node if constant.issuperset(node.input) for name in node.output}
    found = [node for node in stage.graph.node
             if node.op_type in ("Add", "Sum") and len(node.input) == 2 and not constant.intersection(node.input)]
    if found:
        _keep_one(found[draws.integers(len(found))], int(draws.integers(2)))
    return bool(found)


def _keep_one(node: NodeProto, which: int) -> None:
    kept = node.input[which]
    del node.input[:]
    node.op_type = "Identity"
    node.input.append(kept)


def altered_initializer(stage: ModelProto, draws: np.random.Generator) -> bool:
    """Weights of one output channel, a tenth stronger or weaker."""
    found = [tensor for tensor in stage.graph.initializer if tensor.data_type in FLOATS and len(tensor.dims) >= 2]
    if found:
        tensor = found[draws.integers(len(found))]
        weights = numpy_helper.to_array(tensor).copy()
        channel = np.argsort(np.abs(weights.astype(float)).reshape(len(weights), -1).sum(1))[-1]
        weights[channel] = np.round(weights[channel] * draws.choice([0.9, 1.1])) if weights.dtype == np.int8 \
            else weights[channel] * np.float32(draws.choice([0.9, 1.1]))
        tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    return bool(found)
