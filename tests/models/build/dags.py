"""Random graphs with all that makes cutting hard: residuals, shared weights, constants, late inputs, early outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

WIDTH = 6
SHAPE = [2, WIDTH]
OPSET = 17


def dag(seed: int, nodes: int, *, int8: bool = False) -> ModelProto:
    """About `nodes` nodes over float32 tensors [2, 6]; with `int8`, some of them quantized."""
    return _Builder(seed, int8).build(nodes)


class _Builder:
    def __init__(self, seed: int, int8: bool) -> None:
        self.draws = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights = {
            "shared": self.draws.standard_normal((WIDTH, WIDTH)) / 3,
            "other": self.draws.standard_normal((WIDTH, WIDTH)) / 3,
            "wide": self.draws.standard_normal((2 * WIDTH, WIDTH)) / 4, "bias": self.draws.standard_normal(WIDTH),
        }
        self.tensors = [f"input_{i}" for i in range(self.draws.integers(1, 4))]
        self.inputs = list(self.tensors)
        self.steps: list[Callable[[], str]] = [
            self.activation, self.residual, self.product, self.halves, self.joined, self.constant, self.shaped,
            self.limited, self.ordered, self.branch,
        ]
        if int8:
            self.steps += [self.quantized] * 3
        self.common = ""                         # a tensor that depends on constants alone, once it is there

    def build(self, count: int) -> ModelProto:
        while len(self.nodes) < count:
            self.tensors.append(self.steps[self.draws.integers(len(self.steps))]())
        last = self.node("Tanh", self.node("Sum", *self.tensors[-3:], *self.inputs))
        made = [name for name in self.tensors if name not in self.inputs]
        early = list(self.draws.choice(made, min(len(made), self.draws.integers(0, 3)), replace=False))
        graph = helper.make_graph(
            self.nodes, "dag", [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in self.inputs],
            [helper.make_tensor_value_info(str(name), TensorProto.FLOAT, SHAPE) for name in [*early, last]],
            [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in self.weights.items()]
            + [numpy_helper.from_array(np.array(value), name) for name, value in INTEGERS.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Append a node. Returns the name of its first output."""
        names = [f"{operator}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0]

    def any(self) -> str:
        """A tensor: mostly a late one, now and then an early one or an input."""
        recent = self.tensors[-4:] if self.draws.random() < 0.6 else self.tensors
        return str(recent[self.draws.integers(len(recent))])

    def activation(self) -> str:
        return self.node(str(self.draws.choice(["Relu", "Neg", "Sigmoid", "Abs", "Identity"])), self.any())

    def residual(self) -> str:
        return self.node("Tanh", self.node(str(self.draws.choice(["Add", "Sub", "Mul"])), self.any(), self.any()))

    def product(self) -> str:
        return self.node("MatMul", self.any(), str(self.draws.choice(["shared", "other"])))

    def halves(self) -> str:
        """Both outputs of a Split, swapped; or one of them alone, and the other unused."""
        first = self.node("Split", self.any(), outputs=2, axis=1)
        second = first + "_1" if self.draws.random() < 0.7 else first
        return self.node("Concat", second, first, axis=1)

    def joined(self) -> str:
        return self.node("MatMul", self.node("Concat", self.any(), self.any(), axis=1), "wide")

    def constant(self) -> str:
        """Something made of constants alone, used by many."""
        if not self.common:
            value = numpy_helper.from_array(self.draws.standard_normal(WIDTH).astype(np.float32))
            self.common = self.node("Neg", self.node("Add", self.node("Constant", value=value), "bias"))
        return self.node("Add", self.any(), self.common)

    def shaped(self) -> str:
        """There and back by way of a shape that is read from a tensor."""
        source = self.any()
        flat = self.node("Reshape", source, "flat")
        return self.node("Reshape", self.node("Neg", flat), self.node("Shape", source))

    def limited(self) -> str:
        """An input that is omitted."""
        return self.node("Clip", self.any(), "", self.node("Constant", value=numpy_helper.from_array(np.float32(0.7))))

    def ordered(self) -> str:
        """Two outputs of two types."""
        values = self.node("TopK", self.any(), "six", outputs=2, axis=1)
        return self.node("Add", values, self.node("Cast", values + "_1", to=TensorProto.FLOAT))

    def branch(self) -> str:
        """Bodies that read tensors from around them."""
        one, two = self.any(), self.any()
        yes, no = (
            helper.make_graph([helper.make_node(operator, names, ["chosen"])], operator, [],
                              [helper.make_tensor_value_info("chosen", TensorProto.FLOAT, SHAPE)])
            for operator, names in (("Add", [one, "bias"]), ("Sub", [two, one]))
        )
        total = self.node("ReduceSum", self.any(), keepdims=0)
        zero = self.node("Constant", value=numpy_helper.from_array(np.float32(0)))
        return self.node("If", self.node("Greater", total, zero), then_branch=yes, else_branch=no)

    def quantized(self) -> str:
        """Through uint8 and back, twice read."""
        scale, zero = (self.node("Constant", value=numpy_helper.from_array(value))
                       for value in (np.float32(0.03), np.uint8(128)))
        small = self.node("QuantizeLinear", self.any(), scale, zero)
        return self.node("DequantizeLinear", small, scale, zero)


INTEGERS: dict[str, Sequence[int]] = {"flat": [2 * WIDTH], "six": [WIDTH]}
