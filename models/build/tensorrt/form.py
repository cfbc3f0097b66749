"""The form of a graph as TensorRT 10 takes it, checked without TensorRT: operators, types, shapes, quantization.

uint8 is for inputs that are cast to a float at once, and for outputs that are cast from one. int8 is made by a
QuantizeLinear or is a constant, and is read by a DequantizeLinear alone; all zero points are 0. Source of the rules:
`operators`, and the guide to explicit quantization in NVIDIA's documentation of TensorRT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.helper import get_attribute_value

from models.build.graph.graph import Graph
from models.build.graph.order import all_nodes, all_tensors, called
from models.build.graph.tensors import DTYPES
from models.build.graph.versions import DEFAULT, opset_of
from models.build.tensorrt import operators
from swarm.core.settings.cards import TensorSpec

FLOATS = ("float32", "float16")
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


class Offence(msgspec.Struct, frozen=True):
    """What TensorRT does not take: the node, input or output, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def offences(model: ModelProto) -> list[Offence]:
    """All that TensorRT does not take, in the order of the file. The model takes one input at once.

    Raises: BadInput for an invalid graph, or for inputs that are not tensors of a static shape.
    """
    graph = Graph(model)
    form = _Form(model, graph.specs, {tensor.name: tensor for tensor in all_tensors(graph.model.graph)})
    found = [] if opset_of(model) in operators.OPSETS else [
        Offence("the file", f"opset {opset_of(model)}, and TensorRT takes {operators.OPSETS[0]} to "
                f"{operators.OPSETS[-1]}")]
    found += [Offence(f"tensor {name!r}", f"has no static type and shape: {why}")
              for name, why in graph.unknown.items()]
    for node in all_nodes(model.graph):
        found += [Offence(called(node), why) for why in form.of_node(node)]
    return [*found, *form.of_ends()]


@dataclass
class _Form:
    model: ModelProto
    specs: Mapping[str, TensorSpec]
    constants: Mapping[str, TensorProto]
    made_by: dict[str, NodeProto] = field(init=False)
    read_by: dict[str, list[NodeProto]] = field(init=False)

    def __post_init__(self) -> None:
        nodes = list(all_nodes(self.model.graph))
        self.made_by = {name: node for node in nodes for name in node.output if name}
        self.read_by = {}
        for node in nodes:
            for name in node.input:
                self.read_by.setdefault(name, []).append(node)
        tensors = {value.name: value for value in (*self.model.graph.initializer, *self.constants.values())}
        constant = {node.output[0]: attribute.t for node in nodes if node.op_type == "Constant"
                    for attribute in node.attribute if attribute.HasField("t")}
        self.constants = tensors | constant
        self._ends = {value.name for value in (*self.model.graph.input, *self.model.graph.output)}
        self._inputs = {value.name: DTYPES.get(value.type.tensor_type.elem_type, "")
                        for value in self.model.graph.input}

    def of_node(self, node: NodeProto) -> Iterator[str]:
        if node.domain not in DEFAULT:
            yield f"operators of {node.domain} are not supported"
            return
        if node.op_type not in operators.TYPES:
            yield "the operator is not supported"
            return
        kinds = {name: self.dtype(name) for name in (*node.input, *node.output) if name}
        if "float64" in kinds.values():
            yield "it computes with float64, which TensorRT casts down"
        first = next(iter([*node.input[:1], *node.output[:1]]), "")
        kind, taken = kinds.get(first, ""), operators.TYPES[node.op_type]
        is_quantized = node.op_type in (QUANTIZE, DEQUANTIZE)
        data = node.op_type != "Constant" and not is_quantized
        if data and kind and kind not in (*taken, "float64"):
            yield f"takes {kind}, and TensorRT's takes {', '.join(taken)}"
        elif data and any(kind == "uint8" and (node.op_type != "Cast" or name not in self._ends)
                          for name, kind in kinds.items()):
            yield "has a tensor of uint8, which only inputs and outputs of the network may be"
        elif data and "int8" in kinds.values():
            yield f"has a tensor of int8 outside of {QUANTIZE} and {DEQUANTIZE}"
        if is_quantized:
            yield from self._of_quantized(node)
        yield from self._of_attributes(node)

    def of_ends(self) -> Iterator[Offence]:
        """Offences of the inputs and outputs of the network."""
        for name, kind in self._inputs.items():
            readers = self.read_by.get(name, [])
            if kind == "uint8" and not all(
                    reader.op_type == "Cast" and self.dtype(reader.output[0]) in FLOATS for reader in readers):
                yield Offence(f"input {name!r}", "is uint8, and something else than a cast to a float reads it")
            if kind == "int8" and not all(reader.op_type == DEQUANTIZE for reader in readers):
                yield Offence(f"input {name!r}", f"is int8, and something else than a {DEQUANTIZE} reads it")
        for value in self.model.graph.output:
            maker = self.made_by.get(value.name)
            if self.dtype(value.name) == "uint8" and (
                    maker is None or maker.op_type != "Cast" or self.dtype(maker.input[0]) not in FLOATS):
                yield Offence(f"output {value.name!r}", "is uint8, and not cast from a float")

    def dtype(self, name: str) -> str:
        if name in self._inputs:
            return self._inputs[name]
        if name in self.constants:
            return DTYPES.get(self.constants[name].data_type, "")
        if name in self.specs:
            return self.specs[name].dtype
        maker = self.made_by.get(name)       # a view of an int8 tensor, or a constant that nodes make
        if maker is not None and maker.op_type == DEQUANTIZE:
            return self.dtype(maker.input[1])
        return ""

    def _of_quantized(self, node: NodeProto) -> Iterator[str]:
        rounded = node.output[0] if node.op_type == QUANTIZE else node.input[0]
        point = node.input[2] if len(node.input) > 2 else ""
        kind = self.dtype(rounded) or (self.dtype(point) if point else "uint8")
        if kind == "int32":
            yield "a quantized bias, and TensorRT adds biases in float"
            return
        if kind != "int8":
            yield f"rounds to {kind}, and TensorRT's integers are signed: int8"
        if point:
            values = numpy_helper.to_array(self.constants[point]) if point in self.constants else None
            if values is None:
                yield "its zero point is no constant"
            elif values.any():
                yield f"its zero point is {np.unique(values)[-1]}, and TensorRT's is 0"
        scales = self.constants.get(node.input[1])
        if scales is None:
            yield "its scale is no constant"
        elif not (numpy_helper.to_array(scales) > 0).all():
            yield "it has a scale that is not above 0"

    def _of_attributes(self, node: NodeProto) -> Iterator[str]:
        values = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        rank = len(self.specs[node.input[0]].shape) if node.input and node.input[0] in self.specs else None
        if node.op_type in operators.SPATIAL and rank is not None and rank not in operators.SPATIAL_RANKS:
            yield f"its input has {rank} axes, and TensorRT's has {' or '.join(map(str, operators.SPATIAL_RANKS))}"
        if node.op_type in operators.NO_DILATION and any(step != 1 for step in values.get("dilations", ())):
            yield "dilations are not supported"
        if node.op_type in operators.ONE_OUTPUT and len([name for name in node.output if name]) > 1:
            yield "only its first output is supported"
        if node.op_type == "Resize":
            for name, allowed in operators.RESIZE.items():
                value = values.get(name, allowed[0].encode()).decode()
                if value not in allowed:
                    yield f"{name} {value} is not supported: {', '.join(allowed)}"
            if values.get("antialias"):
                yield "antialiasing is not supported"
        if node.op_type == "TopK" and node.input[1] in self.constants:
            count = int(numpy_helper.to_array(self.constants[node.input[1]]).max())
            if count >= operators.LEAST_TOO_MANY:
                yield f"takes the {count} largest, and TensorRT fewer than {operators.LEAST_TOO_MANY}"
