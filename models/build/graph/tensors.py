"""Conversion of tensor types between ONNX and our cards. Separate, because several modules of this folder need it."""

from __future__ import annotations

from onnx import TensorProto, ValueInfoProto, helper

from swarm.core.settings.cards import TensorSpec

DTYPES: dict[int, str] = {
    TensorProto.BOOL: "bool", TensorProto.UINT8: "uint8", TensorProto.UINT16: "uint16", TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64", TensorProto.INT8: "int8", TensorProto.INT16: "int16", TensorProto.INT32: "int32",
    TensorProto.INT64: "int64", TensorProto.FLOAT16: "float16", TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
}
"""The element types that can cross a cut, by numpy's names."""

ELEMENTS = {name: number for number, name in DTYPES.items()}


def spec_of(value: ValueInfoProto) -> TensorSpec | None:
    """Type and static shape of a tensor; None if one of them is unknown or the type cannot cross a cut."""
    kind = value.type.tensor_type
    if kind.elem_type not in DTYPES or not kind.HasField("shape"):
        return None
    if not all(side.HasField("dim_value") and side.dim_value >= 0 for side in kind.shape.dim):
        return None
    return TensorSpec(name=value.name, dtype=DTYPES[kind.elem_type], shape=[side.dim_value for side in kind.shape.dim])


def value_info(spec: TensorSpec) -> ValueInfoProto:
    """The spec in ONNX's form."""
    return helper.make_tensor_value_info(spec.name, ELEMENTS[spec.dtype], spec.shape)
