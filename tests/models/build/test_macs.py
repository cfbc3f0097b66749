"""Multiply-accumulates, against figures worked out by hand and the published one of ResNet-50."""

import numpy as np
import pytest
from onnx import ModelProto, helper

from models.build.graph.graph import Graph
from models.build.zoo.zoo import fp32
from tests.models.build.graphs import body, model, node, tensor

F32 = np.float32


def weights(**shapes: list[int]) -> dict[str, np.ndarray]:
    return {name: np.ones(shape, F32) for name, shape in shapes.items()}


@pytest.mark.parametrize(("given", "count"), [
    (model([node("Conv", "x w", "y", group=2, strides=[2, 2])], [tensor("x", [1, 4, 9, 9])],
           [tensor("y", [1, 6, 4, 4])], weights(w=[6, 2, 3, 3])), 6 * 16 * 2 * 9),
    (model([node("ConvTranspose", "x w", "y", strides=[2, 2])], [tensor("x", [1, 4, 5, 5])],
           [tensor("y", [1, 3, 10, 10])], weights(w=[4, 3, 2, 2])), 4 * 25 * 3 * 4),
    (model([node("Gemm", "x w", "y", transB=1)], [tensor("x", [5, 4])], [tensor("y", [5, 7])], weights(w=[7, 4])), 140),
    (model([node("Gemm", "x w", "y", transA=1)], [tensor("x", [4, 5])], [tensor("y", [5, 7])], weights(w=[4, 7])), 140),
    (model([node("MatMul", "x w", "y")], [tensor("x", [3, 5, 4])], [tensor("y", [3, 5, 7])], weights(w=[4, 7])), 420),
    (model([node("Einsum", "x w", "y", equation="bij, jk -> bik")], [tensor("x", [3, 5, 4])], [tensor("y", [3, 5, 7])],
           weights(w=[4, 7])), 420),
    (model([node("LSTM", "x w r", "y", hidden_size=2)], [tensor("x", [5, 1, 3])], [tensor("y", [5, 1, 1, 2])],
           weights(w=[1, 8, 3], r=[1, 8, 2])), 5 * 8 * (3 + 2)),
    (model([node("Relu", "x", "y")]), 0),
])
def test_products_are_counted(given: ModelProto, count: int) -> None:
    assert sum(Graph(given).macs) == count


def test_a_body_counts_its_dearest_branch() -> None:
    yes = body([node("MatMul", "x w", "t")], [], [tensor("t")])
    no = body([node("Relu", "x", "t")], [], [tensor("t")])
    given = model([node("ReduceSum", "x", "s", keepdims=0), node("Cast", "s", "c", to=9),
                   node("If", "c", "y", then_branch=yes, else_branch=no)], weights=weights(w=[4, 4]))
    assert sum(Graph(given).macs) == 16


def test_attention_of_the_runtime_counts_its_projection() -> None:
    attention = helper.make_node("Attention", ["x", "w", "b"], ["y"], domain="com.microsoft", num_heads=2)
    given = model([attention], [tensor("x", [1, 5, 8])], [tensor("y", [1, 5, 8])], weights(w=[8, 24], b=[24]))
    given.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert sum(Graph(given).macs) == 5 * 8 * 24 + 2 * 5 * 5 * 8


def test_resnet_50_has_its_four_billion() -> None:
    """3.8 to 4.1 G in the literature, by the place of the stride (He et al. 2016, table 1: 3.8)."""
    assert sum(Graph(fp32("resnet50")).macs) == pytest.approx(4.1e9, rel=0.02)
