"""Refuses graphs whose weights int8 cannot hold, with the tensor and the node."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from models.build.graph.order import all_nodes, all_tensors, called
from models.build.quantize.int8_graphs import WEIGHTED, weighted_nodes
from swarm.core.settings.errors import BadInput

LARGEST = float(np.finfo(np.float32).max) / 2
"""Of larger weights the range overflows float32."""

OTHER_TYPES = {TensorProto.FLOAT16: "float16", TensorProto.DOUBLE: "float64", TensorProto.BFLOAT16: "bfloat16"}


def check_weights(original: ModelProto, model: ModelProto) -> None:
    """Raises: BadInput if `model`, the `prepared` original, has no float32 weights, or some without an int8 scale."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = weighted_nodes(model)
    for node in nodes:
        name = node.input[1]
        weights = numpy_helper.to_array(tensors[name])
        if not np.isfinite(weights).all():
            raise BadInput(f"weight {name!r} of {called(node)}", "has infinite or NaN values", "finite weights")
        if (largest := float(np.abs(weights).max(initial=0.0))) > LARGEST:
            raise BadInput(f"weight {name!r} of {called(node)}", f"has a value of {largest:.3g}, and int8 has no scale "
                           "for its range", f"weights of at most {LARGEST:.2g}")
    if not nodes:
        raise BadInput("the graph", *_why_none(original))


def _why_none(original: ModelProto) -> tuple[str, str]:
    """Why a graph has no float32 weights, and what would be right."""
    kinds = {tensor.name: tensor.data_type for tensor in all_tensors(original.graph)}
    for node in all_nodes(original.graph):
        if node.op_type == "Constant":
            kinds[node.output[0]] = next((one.t.data_type for one in node.attribute if one.HasField("t")), 0)
    for node in all_nodes(original.graph):
        weight = next(iter(node.input[1:2]), "")
        if node.op_type in WEIGHTED and (kind := OTHER_TYPES.get(kinds.get(weight, 0))):
            return (f"has its weights in {kind}, such as {weight!r} of {called(node)}, which are not quantized",
                    "export it in float32")
    if any(node.op_type == "DequantizeLinear" for node in all_nodes(original.graph)):
        return "has quantized weights already", "a float32 graph with weights"
    return ("has no convolution or matrix product with constant weights, or only within If, Loop or Scan: int8 would "
            "gain nothing"), "a float32 graph with weights"
