"""An ONNX graph as a sequence: a canonical order of its nodes, and the tensors that are alive at each position.

Nodes that depend only on constants are not part of the sequence: each stage gets its own copy of those it uses. Neither
is a DequantizeLinear: its output stands for the int8 tensor that it reads. So a quarter of the bytes crosses a cut, and
each stage dequantizes for itself.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from models.build.graph.macs import macs
from models.build.graph.normalize import normalized
from models.build.graph.order import in_order, needed, reads
from models.build.graph.repeatable import is_random
from models.build.graph.shapes import inferred, probed
from models.build.measure.random_inputs import Given

WITHIN_INT8 = {"Relu", "Clip"}
"""Activations that runtimes fuse into the quantized operator before them."""


class Graph:
    """The nodes of a model that depend on its inputs, in canonical order, and the tensors alive between them.

    Position p lies after the first p nodes.

    model: the normalized copy that stages are extracted from. inputs, outputs: names of its tensors.
    initializers, sparse: constants by name; constants: tensor -> the node that makes it from constants alone.
    views: tensor -> the DequantizeLinear that makes it from an int8 tensor of the sequence.
    specs: type and shape by tensor; unknown: tensor -> why it has none, so that it cannot cross a cut.
    macs: multiply-accumulates of each node. given: the user's values of inputs, for runs.

    Raises: BadInput for an invalid graph, or for inputs that are not tensors of a static shape.
    """

    def __init__(self, model: ModelProto, given: Given | None = None) -> None:
        self.model, self.given = normalized(model), given or {}
        graph = self.model.graph
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.sparse = {tensor.values.name: tensor for tensor in graph.sparse_initializer}
        self.specs = inferred(self.model)
        self.constants: dict[str, NodeProto] = {}
        self.views: dict[str, NodeProto] = {}
        self.nodes: list[NodeProto] = []
        for node in in_order(needed(graph.node, self.outputs), [*self.inputs, *self.initializers, *self.sparse]):
            self._classify(node)
        self._producer = {name: i for i, node in enumerate(self.nodes) for name in node.output if name}
        self._last_use = self._last_uses()
        self._half_int8 = self._find_half_int8()
        self.unknown: dict[str, str] = {}
        if untyped := [name for name in self._last_use if name not in self.specs]:
            seen, self.unknown = probed(self.model, untyped, self.given)
            self.specs |= seen
        self.macs = [macs(node, self.specs) for node in self.nodes]

    def reads(self, node: NodeProto) -> list[str]:
        """The tensors of the sequence that a node depends on: without constants, and for a view its int8 tensor."""
        seen = (self.views[name].input[0] if name in self.views else name for name in reads(node))
        return [name for name in dict.fromkeys(seen) if not self.is_constant(name)]

    def is_constant(self, name: str) -> bool:
        return name in self.constants or name in self.initializers or name in self.sparse

    def alive(self, position: int) -> list[str]:
        """Tensors made before a position and needed after it, or early outputs of the graph; in order of production."""
        return [name for name, last in self._last_use.items() if self._producer.get(name, -1) < position <= last]

    def produced(self, start: int, end: int) -> list[str]:
        """Tensors that the nodes [start, end) make for later nodes or as graph outputs; in order of production."""
        return [name for name, last in self._last_use.items() if start <= self._producer.get(name, -1) < end <= last]

    def is_half_int8(self, position: int) -> bool:
        """Whether a float tensor is alive of which only the int8 form is needed: then cut after its QuantizeLinear."""
        return any(name in self._half_int8 for name in self.alive(position))

    def _classify(self, node: NodeProto) -> None:
        """Add a node to the constants, the views or the sequence; its predecessors were added before."""
        if not is_random(node) and not any(self._depends_on_input(name) for name in reads(node)):
            self.constants |= {name: node for name in node.output if name}
        elif (shape := self._static_shape(node)) is not None:
            self.initializers[shape.name] = shape
        elif self._is_view(node):
            self.views[node.output[0]] = node
        else:
            self.nodes.append(node)

    def _depends_on_input(self, name: str) -> bool:
        return not self.is_constant(name)

    def _is_view(self, node: NodeProto) -> bool:
        if node.op_type != "DequantizeLinear" or node.output[0] in self.outputs:
            return False
        data, *parameters = node.input
        return self._depends_on_input(data) and not any(name and self._depends_on_input(name) for name in parameters)

    def _static_shape(self, node: NodeProto) -> TensorProto | None:
        """The output of a Shape node as a constant, if the shape of its input is static."""
        if node.op_type != "Shape" or node.input[0] not in self.specs or node.output[0] in self.outputs:
            return None
        limits = {attribute.name: attribute.i for attribute in node.attribute}
        sides = self.specs[node.input[0]].shape[limits.get("start"):limits.get("end")]
        return numpy_helper.from_array(np.array(sides, np.int64), node.output[0])

    def _last_uses(self) -> dict[str, int]:
        """Tensor -> index of the last node that reads it, or the number of nodes for outputs; in production order."""
        last = {name: i for i, node in enumerate(self.nodes) for name in self.reads(node)}
        last |= {name: len(self.nodes) for name in self.outputs if self._depends_on_input(name)}
        made = [*self.inputs, *(name for node in self.nodes for name in node.output)]
        return {name: last[name] for name in made if name in last}

    def _find_half_int8(self) -> set[str]:
        """Float tensors of which only the int8 form is needed, directly or after an activation."""
        users: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in self.reads(node):
                users.setdefault(name, []).append(node)
        found: set[str] = set()
        for node in reversed(self.nodes):
            for name in node.output:
                if name in users and name not in self.outputs and all(
                    user.op_type == "QuantizeLinear" or (user.op_type in WITHIN_INT8 and user.output[0] in found)
                    for user in users[name]
                ):
                    found.add(name)
        return found
