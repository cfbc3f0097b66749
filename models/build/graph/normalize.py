"""Brings models of many exporters into one form: no functions, constant initializers, static inputs, unique names."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

import onnx
from onnx import GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto
from onnx.inliner import inline_local_functions

from models.build.graph.order import bodies
from models.build.graph.tensors import DTYPES, ELEMENTS, spec_of
from swarm.core.settings.errors import BadInput

MIN_IR = 4
"""First IR version in which an initializer need not be an input too."""

UNKNOWN = "?"
"""What some exporters call all axes without a name: each is an axis of its own."""

SINGLE = ("batch", "N", UNKNOWN)
"""Names of axes whose size is 1 unless the user says otherwise."""


def normalized(model: ModelProto) -> ModelProto:
    """A copy without local functions, whose inputs have one type and a static shape.

    An initializer that is also an input, a default that a caller could replace, becomes a constant. If several nodes
    have one name, all but the first get new ones.
    Raises: BadInput for inputs that are not tensors or have dynamic axes.
    """
    copy = ModelProto()
    copy.CopyFrom(inline_local_functions(model) if model.functions else model)
    graph = copy.graph
    constant = {tensor.name for tensor in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in constant]
    del graph.input[:]
    graph.input.extend(inputs)
    copy.ir_version = max(copy.ir_version, MIN_IR)
    _rename_repeated(graph, set())
    for value in graph.input:
        if spec_of(value) is None:
            axes = dynamic_axes(copy)
            if any(_is_open(side) for side in value.type.tensor_type.shape.dim):
                raise BadInput(f"input {value.name!r}", f"has dynamic axes: {', '.join(axes)}",
                               " ".join(f"--axis {axis}=N" for axis in axes))
            if value.type.tensor_type.elem_type in DTYPES:
                raise BadInput(f"input {value.name!r}", "has no shape",
                               f"the size of each of its axes: --axis {value.name}.0=N --axis {value.name}.1=N ...")
            raise BadInput(f"input {value.name!r}", f"is a {_kind(value.type)}", f"tensors of {', '.join(ELEMENTS)}")
    return copy


def _rename_repeated(graph: GraphProto, taken: set[str]) -> None:
    """Give nodes whose name is `taken` another one, also in bodies: names of nodes carry no meaning."""
    for node in graph.node:
        if node.name in taken:
            node.name = next(name for i in count(2) if (name := f"{node.name}_{i}") not in taken)
        if node.name:
            taken.add(node.name)
        for body in bodies(node):
            _rename_repeated(body, taken)


def dynamic_axes(model: ModelProto) -> list[str]:
    """Names of the inputs' axes without a fixed size, in order; an axis without a name is called INPUT.AXIS."""
    constant = {tensor.name for tensor in model.graph.initializer}
    axes = [
        _axis_name(value, axis, side)
        for value in model.graph.input if value.name not in constant
        for axis, side in enumerate(value.type.tensor_type.shape.dim) if _is_open(side)
    ]
    return list(dict.fromkeys(axes))


def single_axes(model: ModelProto) -> list[str]:
    """The dynamic axes whose size is 1 unless the user says otherwise: those that are always the first axis, which are
    batch axes, and those that are called so or not at all."""
    sides = [(value, axis, side) for value in model.graph.input
             for axis, side in enumerate(value.type.tensor_type.shape.dim)]
    elsewhere = {_axis_name(*one) for one in sides if one[1] and one[2].dim_param}
    first = {_axis_name(*one) for one in sides if not one[1]} - elsewhere
    first |= {_axis_name(*one) for one in sides if one[2].dim_param in SINGLE}
    return [axis for axis in dynamic_axes(model) if axis in first]


def _axis_name(value: ValueInfoProto, axis: int, side: TensorShapeProto.Dimension) -> str:
    return f"{value.name}.{axis}" if side.dim_param in ("", UNKNOWN) else side.dim_param


def bind(model: ModelProto, sizes: Mapping[str, int]) -> None:
    """Set the sizes of dynamic input axes, in place; all other shapes are inferred again.

    An input without a shape gets one from the sizes of its axes INPUT.0, INPUT.1, ...
    Raises: BadInput for a size below one or for an unknown axis.
    """
    for value in model.graph.input:
        _shape_from(sizes, value)
    known = dynamic_axes(model)
    for axis, size in sizes.items():
        if axis not in known:
            raise BadInput(f"--axis {axis}", "is not a dynamic axis", f"known: {', '.join(known) or 'none'}")
        if size < 1:
            raise BadInput(f"--axis {axis}={size}", "a tensor without elements cannot be run", "1 or more")
    if not sizes:
        return
    graph = model.graph
    for value in graph.input:
        for axis, side in enumerate(value.type.tensor_type.shape.dim):
            size = sizes.get(_axis_name(value, axis, side))
            if size is not None and _is_open(side):
                side.dim_value = size
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    found = {value.name: value for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output}
    for value in graph.output:
        value.CopyFrom(found[value.name])


def _shape_from(sizes: Mapping[str, int], value: ValueInfoProto) -> None:
    """Open axes for an input without a shape, if their sizes are given."""
    kind = value.type.tensor_type
    if value.type.HasField("tensor_type") and not kind.HasField("shape"):
        for _ in takewhile(lambda axis: f"{value.name}.{axis}" in sizes, count()):
            kind.shape.dim.add()


def _is_open(side: TensorShapeProto.Dimension) -> bool:
    """Whether an axis has no fixed size; some exporters write -1."""
    return not side.HasField("dim_value") or side.dim_value < 0


def _kind(kind: TypeProto) -> str:
    which = kind.WhichOneof("value") or "nothing"
    if which == "tensor_type":
        return f"{onnx.TensorProto.DataType.Name(kind.tensor_type.elem_type).lower()} tensor"
    return which.removesuffix("_type")
