"""Quantization schemes: a float graph becomes an int8 graph, static in QDQ form or dynamic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from models.build.graph.graph import Graph
from models.build.quantize.quantizer_form import core, files, finalized, quiet_quantizer

Inputs = Mapping[str, NDArray]
RangeMethod = Literal["minmax", "percentile", "entropy"]

METHODS = {
    "minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
PERCENTILE = 99.99
WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators with weights, which int8 makes faster."""

STATIC_OPERATORS = [
    *WEIGHTED, "Add", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize", "Reshape",
    "Transpose", "Squeeze", "Unsqueeze", "Split",
]
"""Operators that compute in int8 or pass it on; all others stay in float."""

HEADS_SHARE = 0.05
"""Heads with up to this share of the network's multiply-accumulates gain little from int8."""


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """A quantization scheme. ranges: how activation ranges are calibrated; None: dynamic, computed in each run."""

    ranges: RangeMethod | None
    per_channel: bool = True
    reduce_range: bool = True        # 7-bit weights: U8S8 with 8 bits saturates on x86 without VNNI

    def __str__(self) -> str:
        ranges = "dynamic" if self.ranges is None else self.ranges
        ranges = f"percentile {PERCENTILE}" if ranges == "percentile" else ranges
        return f"{'per-channel' if self.per_channel else 'per-tensor'} {ranges} {'s7' if self.reduce_range else 's8'}"


def quantized(
    model: ModelProto, scheme: Scheme, inputs: Sequence[Inputs], keep_float: Collection[str] = ()
) -> ModelProto:
    """A `prepared` graph in int8, except the nodes `keep_float`. inputs: for calibration; unused if dynamic.

    Raises: QuantizerError.
    """
    with files(core(model)) as (source, target), quiet_quantizer():
        if scheme.ranges is None:
            convolutions = any(node.op_type == "Conv" for node in model.graph.node)
            quantize_dynamic(
                str(source), str(target), per_channel=scheme.per_channel, reduce_range=scheme.reduce_range,
                nodes_to_exclude=list(keep_float), extra_options={"MatMulConstBOnly": True},
                weight_type=QuantType.QUInt8 if convolutions else QuantType.QInt8,   # ConvInteger takes no S8 weights
            )
        else:
            quantize_static(
                str(source), str(target), Reader(inputs), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=scheme.per_channel,
                reduce_range=scheme.reduce_range, op_types_to_quantize=STATIC_OPERATORS,
                nodes_to_exclude=list(keep_float),
                calibrate_method=METHODS[scheme.ranges],
                extra_options={"MatMulConstBOnly": True}
                | ({"CalibPercentile": PERCENTILE} if scheme.ranges == "percentile" else {}),
            )
        return finalized(onnx.load(target), model)


def weighted_nodes(model: ModelProto) -> list[NodeProto]:
    """The nodes with constant weights in float32, in order."""
    constant = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    return [node for node in model.graph.node if node.op_type in WEIGHTED and constant & set(node.input[1:2])]


def heads(model: ModelProto) -> list[str]:
    """Names of nodes that should stay in float: the last weighted node on every path to an output, and all after it.

    No later node reduces their errors. The weighted nodes are left out if they do more than `HEADS_SHARE` of the work.
    """
    nodes = {node.name for node in weighted_nodes(model)}
    behind: set[str] = set()             # tensors that a later weighted node depends on
    tail: list[str] = []
    for node in reversed(model.graph.node):
        if behind & set(node.output):
            behind |= set(node.input)
            continue
        tail.append(node.name)
        if node.name in nodes:
            behind |= set(node.input)
    graph = Graph(model)
    work = {node.name: macs for node, macs in zip(graph.nodes, graph.macs, strict=True)}
    cheap = sum(work.get(name, 0) for name in nodes & set(tail)) <= HEADS_SHARE * sum(work.values())
    return tail if cheap else [name for name in tail if name not in nodes]


class Reader(CalibrationDataReader):
    """The calibration inputs, one by one."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._remaining = iter(inputs)

    def get_next(self) -> dict[str, NDArray] | None:
        following = next(self._remaining, None)
        return None if following is None else dict(following)
