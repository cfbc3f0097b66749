"""Multiply-accumulates of ONNX nodes: convolutions, matrix products, attention and recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from onnx import NodeProto

from models.build.graph.order import bodies
from swarm.core.settings.cards import TensorSpec

Shape = list[int]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def macs(node: NodeProto, specs: Mapping[str, TensorSpec]) -> int:
    """Multiply-accumulates of one run of the node; 0 for operators without matrix products, and for unknown shapes.

    A body counts once; of an If only the most expensive branch counts.
    """
    count = COUNTS.get(node.op_type)
    if count is not None:
        made = next(filter(None, node.output))
        if any(name and name not in specs for name in (*node.input, made)):
            return 0
        return count(node, [specs[name].shape if name else [] for name in node.input], specs[made].shape)
    return max((sum(macs(inner, specs) for inner in body.node) for body in bodies(node)), default=0)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def _convolution(weights: int) -> Callable[[NodeProto, list[Shape], Shape], int]:
    """Output elements times the weights of one, [out, in / group, *kernel]; `weights`: index of the weights' input."""
    return lambda node, inputs, output: prod(output) * prod(inputs[weights][1:])


def _transposed(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    """Input elements times the weights of one, [in, out / group, *kernel]."""
    return prod(inputs[0]) * prod(inputs[1][1:])


def _matmul(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    return prod(output) * inputs[0][-1]


def _gemm(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    return prod(output) * inputs[0][0 if _attribute(node, "transA", 0) else 1]


def _einsum(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    equation = next(attribute.s for attribute in node.attribute if attribute.name == "equation").decode()
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if "." in equation or len(terms) != len(inputs):
        return 0
    return prod({axis: size for term, shape in zip(terms, inputs, strict=True)
                 for axis, size in zip(term, shape, strict=True)}.values())


def _recurrence(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    """X [steps, batch, in] by W [directions, gates x hidden, in], and the state by [gates x hidden, hidden]."""
    (steps, batch, width), (directions, rows, _) = inputs[0], inputs[1]
    return steps * batch * directions * rows * (width + rows // GATES[node.op_type])


def _attention(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    """Scores and weighted sums for output [..., rows, width] over all keys; the projections are separate nodes."""
    keys = inputs[1][-2] if len(inputs) > 1 and len(inputs[1]) > 2 else inputs[0][-2]
    return 2 * prod(output) * keys


def _with_projection(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    """Attention that includes the projection of [batch, rows, width] by [width, 3 x width]."""
    return prod(inputs[0]) * inputs[1][-1] + 2 * prod(output) * inputs[0][-2]


def _either_attention(node: NodeProto, inputs: list[Shape], output: Shape) -> int:
    """ONNX's operator takes Q, K and V; ONNX Runtime's operator of the same name takes the input and the projection."""
    return (_with_projection if node.domain == "com.microsoft" else _attention)(node, inputs, output)


COUNTS: dict[str, Callable[[NodeProto, list[Shape], Shape], int]] = {
    "Conv": _convolution(1), "FusedConv": _convolution(1), "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3), "ConvTranspose": _transposed,
    "MatMul": _matmul, "MatMulInteger": _matmul, "QLinearMatMul": _matmul, "FusedMatMul": _matmul,
    "Gemm": _gemm, "QGemm": _gemm, "Einsum": _einsum,
    **dict.fromkeys(GATES, _recurrence),
    "Attention": _either_attention, "MultiHeadAttention": _attention, "GroupQueryAttention": _attention,
}

