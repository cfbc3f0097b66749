"""Small graphs for tests: made in memory, seeded, quick to quantize."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIDE = 12
CHANNELS = 8


def cnn(layers: int = 4, *, spiky: int | None = None, seed: int = 3) -> ModelProto:
    """Convolutions of 3x3 with bias and Relu, float32 [1, 8, 12, 12] to the same; nodes conv_0, relu_0, conv_1, ...

    spiky: a layer one of whose channels is a thousand times as large as the others, and is taken back by the layer
    after it: in eight bits the others drown.
    """
    draws = np.random.default_rng(seed)
    nodes, constants, name = [], [], "x"
    for k in range(layers):
        weight = draws.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) * np.sqrt(2 / (CHANNELS * 9))
        if spiky is not None and k == spiky:
            weight[0] *= 1000.0
        if spiky is not None and k == spiky + 1:
            weight[:, 0] /= 1000.0
        bias = (0.1 * draws.standard_normal(CHANNELS)).astype(np.float32)
        constants += [numpy_helper.from_array(weight.astype(np.float32), f"w_{k}"),
                      numpy_helper.from_array(bias, f"b_{k}")]
        nodes += [helper.make_node("Conv", [name, f"w_{k}", f"b_{k}"], [f"c_{k}"], f"conv_{k}", pads=[1, 1, 1, 1]),
                  helper.make_node("Relu", [f"c_{k}"], [f"r_{k}"], f"relu_{k}")]
        name = f"r_{k}"
    nodes[-1].output[0] = "y"
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE]) for end in "xy"]
    graph = helper.make_graph(nodes, "cnn", ends[:1], ends[1:], constants)
    return _model(graph)


def constant() -> ModelProto:
    """Gives zeros whatever it is given."""
    zero = numpy_helper.from_array(np.zeros((4, 4), np.float32), "w")
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [2, 4]) for end in "xy"]
    product = helper.make_node("MatMul", ["x", "w"], ["y"], "product")
    return _model(helper.make_graph([product], "g", ends[:1], ends[1:], [zero]))


def weightless() -> ModelProto:
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [2, 4]) for end in "xy"]
    return _model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:]))


def _model(graph: onnx.GraphProto) -> ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
