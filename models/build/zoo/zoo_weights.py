"""Random weights for a network, such that signals neither vanish nor explode and the output is not constant.

In the graphs of the onnx package, most weights of a layer are the same number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from models.build.graph.normalize import normalized
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner

LOGIT_STD = 2.0
"""Standard deviation of the last layer's output: its softmax is then neither flat nor saturated."""

SPREAD = 0.1
"""Spread of scales around 1, of offsets around 0 and of variances around 1."""

PRODUCTS = {"Conv", "Gemm"}
CENTRES = {"BatchNormalization": {1: 1.0, 2: 0.0, 3: 0.0, 4: 1.0}, "Conv": {2: 0.0}, "Gemm": {2: 0.0},
           "Mul": {0: 1.0, 1: 1.0}, "Add": {0: 0.0, 1: 0.0}}
"""Operator -> input -> centre of its weights."""


def fill(model: ModelProto, seed: int) -> ModelProto:
    """A normalized copy with random weights: for products after He et al. 2015; the last product is scaled."""
    filled = normalized(model)
    graph, draws = filled.graph, np.random.default_rng(seed)
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    filler = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    shapes |= {node.output[0]: constants[node.input[0]].tolist() for node in filler}
    through = _reshaped(graph)
    weights: dict[str, NDArray] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            source = through.get(name, name)
            if source in shapes and source not in weights and _is_weight(node, place):
                weights[source] = _drawn(node, place, shapes[source], draws).astype(np.float32)
    nodes = [node for node in graph.node if node.output[0] not in weights]
    read = {name for node in nodes for name in node.input}
    others = [tensor for tensor in graph.initializer if tensor.name in read and tensor.name not in weights]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*others, *(numpy_helper.from_array(value, name) for name, value in weights.items())])
    _scale_last(filled, through)
    return filled


def _reshaped(graph: GraphProto) -> dict[str, str]:
    """Reshaped tensor -> its source."""
    return {node.output[0]: node.input[0] for node in graph.node if node.op_type in ("Unsqueeze", "Reshape")}


def _is_weight(node: NodeProto, place: int) -> bool:
    return place in CENTRES.get(node.op_type, {}) or (node.op_type in PRODUCTS and place == 1)


def _drawn(node: NodeProto, place: int, shape: list[int], draws: np.random.Generator) -> NDArray:
    if place in CENTRES[node.op_type]:
        return CENTRES[node.op_type][place] + SPREAD * draws.uniform(-1, 1, shape)
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    fan_in = shape[0] if node.op_type == "Gemm" and not transposed else int(np.prod(shape[1:]))
    return draws.standard_normal(shape) * np.sqrt(2 / fan_in)


def _scale_last(model: ModelProto, through: dict[str, str]) -> None:
    """Scale the last product's weights so that its output has `LOGIT_STD`."""
    last = next(node for node in reversed(model.graph.node) if node.op_type in PRODUCTS)
    shown = ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.append(ValueInfoProto(name=last.output[0]))
    spread = Runner(shown).run_named(next(random_inputs(model, 1)))[last.output[0]].std()
    name = through.get(last.input[1], last.input[1])
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    scaled = numpy_helper.to_array(weights) * np.float32(LOGIT_STD / spread)
    weights.CopyFrom(numpy_helper.from_array(scaled, weights.name))
