"""A float16 graph as the same graph in float32: whether a cut is right can be told by every bit there.

A CPU has few operators in float16: ONNX Runtime puts casts around the others, at other places in a part than in the
whole, with or without optimisation.
"""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

from models.build.graph.order import all_nodes, all_tensors, bodies
from models.build.graph.repeatable import Feed

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


def in_float32(model: ModelProto) -> ModelProto:
    """A copy that has float32 wherever the model has float16; inferred inner types are left out."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in all_tensors(copy.graph):
        if tensor.data_type == HALF:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    graphs = [copy.graph, *(body for node in all_nodes(copy.graph) for body in bodies(node))]
    for graph in graphs:
        del graph.value_info[:]
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type == HALF:
                value.type.tensor_type.elem_type = FLOAT
    for node in all_nodes(copy.graph):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.INT and attribute.name in ("to", "dtype") and attribute.i == HALF:
                attribute.i = FLOAT
    return copy


def feed_in_float32(feed: Feed) -> Feed:
    """The inputs for such a graph."""
    return {name: value.astype(np.float32) if value.dtype == np.float16 else value for name, value in feed.items()}
