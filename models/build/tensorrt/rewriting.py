"""Brings the ends of a graph into the form that TensorRT takes, with the same results bit for bit.

TensorRT has uint8 for inputs and outputs of a network only: an input must be cast at once, and an output be cast from a
float. Exporters put the transposition of a picture before its cast, and cast the indices of an ArgMax to uint8.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

MOVERS = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice")
"""Operators that only move the elements of their first input: they commute with a cast."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


def rewritten(model: ModelProto) -> ModelProto:
    """A copy with the ends of a graph as TensorRT takes them; inner types and shapes, if it has any, are new."""
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    for value in graph.input:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            _cast_first(graph, value.name)
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            _cast_from_float(graph, value.name)
    if graph.value_info:
        del graph.value_info[:]
        copy = onnx.shape_inference.infer_shapes(copy)
    onnx.checker.check_model(copy)
    return copy


def _cast_first(graph: GraphProto, name: str) -> None:
    """Move a cast to a float from behind the nodes that move an input's elements to before them."""
    chain: list[NodeProto] = []
    tensor, ends = name, {value.name for value in graph.output}
    while True:
        readers = [node for node in graph.node if tensor in node.input]
        if len(readers) != 1 or readers[0].input[0] != tensor or tensor in ends:
            return
        node = readers[0]
        if node.op_type == "Cast":
            break
        if node.op_type not in MOVERS:
            return
        chain.append(node)
        tensor = node.output[0]
    if not chain or not any(attribute.name == "to" and attribute.i in FLOATS for attribute in node.attribute):
        return
    nodes = list(graph.node)
    nodes.remove(node)
    nodes.insert(nodes.index(chain[0]), node)
    end, moved = node.output[0], f"{node.output[0]}_first"
    node.input[0], node.output[0] = name, moved
    chain[0].input[0], chain[-1].output[0] = moved, end
    _set_nodes(graph, nodes)


def _cast_from_float(graph: GraphProto, name: str) -> None:
    """Cast an output of indices from float32, which holds each of them as far as a uint8 does.

    The Relu, which changes no index, keeps ONNX Runtime from making one cast of two.
    """
    made_by = {one: node for node in graph.node for one in node.output}
    node = made_by.get(name)
    if node is None or node.op_type != "Cast":
        return
    maker = made_by.get(node.input[0])
    if maker is None or maker.op_type not in ("ArgMax", "ArgMin"):
        return
    names = [f"{name}_float", f"{name}_float_index"]
    nodes = list(graph.node)
    at = nodes.index(node)
    nodes[at:at] = [
        helper.make_node("Cast", [node.input[0]], [names[0]], names[0], to=TensorProto.FLOAT),
        helper.make_node("Relu", [names[0]], [names[1]], names[1]),
    ]
    node.input[0] = names[1]
    _set_nodes(graph, nodes)


def _set_nodes(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
