"""Ways to make an int8 graph of a float graph: static in QDQ form, or dynamic. Graph in, graph out."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.build.graph.graph import Graph

Inputs = Mapping[str, NDArray]
Ranges = Literal["minmax", "percentile", "entropy"]

METHODS = {
    "minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
PERCENTILE = 99.99
WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators whose work is in their weights: what int8 makes faster."""

STATIC = [
    *WEIGHTED, "Add", "Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize", "Reshape",
    "Transpose", "Squeeze", "Unsqueeze", "Split",
]
"""What works on int8 or hands it on; all else stays in float."""

HEADS_SHARE = 0.05
"""Of a network's multiply-accumulates: what is worth little in int8."""

LOWEST_OPSET = 13
"""From here on a QuantizeLinear has scales per channel."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to quantize. `ranges` of the activations; None: dynamic, taken anew in each run."""

    ranges: Ranges | None
    per_channel: bool = True
    reduce_range: bool = True        # weights of 7 bits: U8S8 of 8 bits saturates on x86 without VNNI

    def __str__(self) -> str:
        how = "dynamic" if self.ranges is None else self.ranges
        how = f"percentile {PERCENTILE}" if how == "percentile" else how
        return f"{'per-channel' if self.per_channel else 'per-tensor'} {how} {'s7' if self.reduce_range else 's8'}"


def prepared(model: ModelProto) -> ModelProto:
    """The float graph as the quantizer wants it: of a late enough opset, shapes known, normalisations folded.

    Every node has a name. Raises: ValueError with the reason for a graph that cannot be brought there.
    """
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < LOWEST_OPSET:
        try:
            model = onnx.version_converter.convert_version(model, LOWEST_OPSET)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"opset {opset} cannot be brought to {LOWEST_OPSET}: {error}") from None
    with _files(model) as (source, target), _silence():
        quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        ready = _plain(onnx.load(target), model)
    taken = {node.name for node in ready.graph.node}
    for i, node in enumerate(ready.graph.node):
        if not node.name:
            node.name = next(name for k in range(len(taken) + 1) if (name := f"{node.op_type}_{i + k}") not in taken)
            taken.add(node.name)
    return ready


def quantized(model: ModelProto, way: Way, inputs: Sequence[Inputs], keep: Collection[str] = ()) -> ModelProto:
    """A `prepared` graph in int8, but for the nodes named in `keep`; `inputs` to calibrate on, unused if dynamic."""
    with _files(model) as (source, target), _silence():
        if way.ranges is None:
            convolutions = any(node.op_type == "Conv" for node in model.graph.node)
            quantize_dynamic(
                str(source), str(target), per_channel=way.per_channel, reduce_range=way.reduce_range,
                nodes_to_exclude=list(keep), extra_options={"MatMulConstBOnly": True},
                weight_type=QuantType.QUInt8 if convolutions else QuantType.QInt8,   # ConvInteger takes no S8 weights
            )
        else:
            quantize_static(
                str(source), str(target), _Reader(inputs), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=way.per_channel,
                reduce_range=way.reduce_range, op_types_to_quantize=STATIC, nodes_to_exclude=list(keep),
                calibrate_method=METHODS[way.ranges],
                extra_options={"MatMulConstBOnly": True}
                | ({"CalibPercentile": PERCENTILE} if way.ranges == "percentile" else {}),
            )
        return _plain(onnx.load(target), model)


def weighted(model: ModelProto) -> list[NodeProto]:
    """The nodes with weights of their own, in order."""
    constant = {tensor.name for tensor in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type in WEIGHTED and constant & set(node.input[1:2])]


def heads(model: ModelProto) -> list[str]:
    """Names of the nodes best left in float: the last weighted one on every path to an output, and all that follows.

    Nothing behind them mends their errors. Last ones that do more than `HEADS_SHARE` of the work are not among them.
    """
    nodes = {node.name for node in weighted(model)}
    behind: set[str] = set()             # tensors that a weighted node still depends on
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


def _plain(model: ModelProto, like: ModelProto) -> ModelProto:
    """Bound to the operator sets that it uses and to the IR version of `like`, with shapes inferred; checked."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ir_version = like.ir_version
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


@contextlib.contextmanager
def _files(model: ModelProto) -> Iterator[tuple[Path, Path]]:
    """A file with the graph, and the name of one for the result."""
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        source = Path(folder) / "source.onnx"
        onnx.save(model, source)
        yield source, Path(folder) / "target.onnx"


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The quantizer advises on every call, and its calibrator prints."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger().setLevel(level)


class _Reader(CalibrationDataReader):
    """The inputs that ranges are taken from, one by one."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> dict[str, NDArray] | None:
        following = next(self._left, None)
        return None if following is None else dict(following)
