"""Small graphs by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from models.build.cut.partition import cuts
from models.build.graph.graph import Graph

SHAPE = [1, 4]


def tensor(name: str, shape: Sequence[int | str] = SHAPE, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def node(operator: str, inputs: str, outputs: str, **attributes: object) -> NodeProto:
    """Names are divided by blanks; `_` is an omitted input."""
    return helper.make_node(operator, [n.replace("_", "") if n == "_" else n for n in inputs.split()], outputs.split(),
                            **attributes)


def model(
    nodes: Sequence[NodeProto], inputs: Sequence[ValueInfoProto | str] = ("x",),
    outputs: Sequence[ValueInfoProto | str] = ("y",), weights: Mapping[str, NDArray] | None = None, opset: int = 17,
    **more: object,
) -> ModelProto:
    """Inputs and outputs given by name alone are float32 [1, 4]."""
    values = [[tensor(value) if isinstance(value, str) else value for value in side] for side in (inputs, outputs)]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "small", *values, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **more)


def body(nodes: Sequence[NodeProto], inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]) -> GraphProto:
    return helper.make_graph(nodes, "body", inputs, outputs)


def by_macs(graph: Graph) -> list[float]:
    """Costs of the nodes before each cut, and of all nodes, independent of the host; replaces `prefix_costs`."""
    return [*(float(cut.macs_before) for cut in cuts(graph)), float(sum(graph.macs))]
