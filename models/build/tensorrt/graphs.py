"""The graphs that TensorRT runs best, made from a float graph: fp16, and int8 with explicit quantization.

int8: activations and weights signed and symmetric, so that all zero points are 0; weights per channel, biases in
float. Rounding stands where TensorRT fuses it: before the inputs of convolutions, matrix products and global average
pooling, and on the skipping input of a residual Add, but not between a convolution and its Add.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from models.build.graph.order import all_nodes
from models.build.measure.runner import Runner, RunnerError, exposed
from models.build.quantize.int8_graphs import METHODS, PERCENTILE, WEIGHTED, Inputs, Reader, Scheme
from models.build.quantize.quantizer_form import QuantizerError, core, files, finalized, quiet_quantizer

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
ROUNDED = [*WEIGHTED, "Add", "GlobalAveragePool"]
"""Operators that TensorRT runs in int8, or fuses into one that does."""

LARGEST_HALF = float(np.finfo(np.float16).max)
ROOM = 0.5
"""Share of the largest float16 up to which values of a node may reach on the inputs at hand."""


def signed_int8(model: ModelProto, scheme: Scheme, inputs: Sequence[Inputs], keep_float: Collection[str]) -> ModelProto:
    """A `prepared` graph in int8 for TensorRT, except the nodes `keep_float`. inputs: for calibration.

    Raises: QuantizerError.
    """
    assert scheme.ranges is not None     # TensorRT has no dynamic quantization of this kind
    plain_adds = [node.name for node in model.graph.node if node.op_type == "Add" and not _residual(model, node)]
    with files(core(model)) as (source, target), quiet_quantizer():
        quantize_static(
            str(source), str(target), Reader(inputs), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, per_channel=scheme.per_channel,
            op_types_to_quantize=ROUNDED, nodes_to_exclude=[*keep_float, *plain_adds],
            calibrate_method=METHODS[scheme.ranges],
            extra_options={
                "ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False, "MatMulConstBOnly": True,
                "OpTypesToExcludeOutputQuantization": ROUNDED,
                "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1},
            } | ({"CalibPercentile": PERCENTILE} if scheme.ranges == "percentile" else {}),
        )
        made = onnx.load(target)
    _fuse_residuals(made)
    with quiet_quantizer():
        return finalized(made, model)


def half(model: ModelProto, inputs: Sequence[Inputs]) -> tuple[ModelProto, list[str]]:
    """A graph in fp16 with the inputs and outputs of the float one, and the nodes that stay in float32.

    These are nodes that come near the end of fp16's range on `inputs` or by their constants, such as squares within a
    normalization. All nodes must have names. Raises: QuantizerError.
    """
    kept = _beyond_half(model, inputs)
    copy = ModelProto()
    copy.CopyFrom(model)
    with quiet_quantizer():
        made = convert_float_to_float16(copy, keep_io_types=True, node_block_list=kept)
        _join_float(made)
        del made.graph.value_info[:]     # the converter leaves types of the float graph
        return finalized(made, model), kept


def _beyond_half(model: ModelProto, inputs: Sequence[Inputs]) -> list[str]:
    names = [name for node in model.graph.node for name in node.output if name]
    try:
        runner = Runner(exposed(model, names), optimise=False)
        floats = [name for name, kind in runner.kinds.items() if kind == "float32"]
        found: list[dict[str, NDArray]] = [runner.run_named(feed, floats) for feed in inputs]
    except RunnerError as error:
        raise QuantizerError(str(error)) from error
    large = {name for tensors in found for name, value in tensors.items() if _is_large(value)}
    large |= {tensor.name for tensor in model.graph.initializer
              if tensor.data_type == TensorProto.FLOAT and _is_large(numpy_helper.to_array(tensor))}
    return [node.name for node in all_nodes(model.graph) if large & {*node.input, *node.output}]


def _join_float(model: ModelProto) -> None:
    """Take away the way through fp16 between two nodes that stay in float, where values would overflow."""
    casts = {node.output[0]: node for node in model.graph.node if node.op_type == "Cast"}
    kinds = {name: node.attribute[0].i for name, node in casts.items()}
    for name, node in casts.items():
        before = casts.get(node.input[0])
        if kinds[name] == TensorProto.FLOAT and before is not None and kinds[before.output[0]] == TensorProto.FLOAT16:
            node.input[0] = before.input[0]      # of a tensor in float32: TensorRT drops a cast to the same type


def _is_large(values: NDArray) -> bool:
    return not bool(np.abs(values).max(initial=0.0) <= ROOM * LARGEST_HALF)


def _residual(model: ModelProto, add: NodeProto) -> bool:
    """Whether an Add has an input from a convolution or matrix product that nothing else reads."""
    return any(_only_from_weighted(model, name) for name in add.input)


def _only_from_weighted(model: ModelProto, name: str) -> bool:
    makers = [node for node in model.graph.node if name in node.output]
    readers = [node for node in model.graph.node if name in node.input]
    return len(readers) == 1 and bool(makers) and makers[0].op_type in WEIGHTED


def _fuse_residuals(model: ModelProto) -> None:
    """Take the rounding away between a convolution and the Add after it, so that TensorRT makes one kernel of both."""
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    for add in [node for node in graph.node if node.op_type == "Add"]:
        for i in reversed(range(len(add.input))):
            dequantize = made_by.get(add.input[i])
            if dequantize is None or dequantize.op_type != DEQUANTIZE:
                continue
            quantize = made_by.get(dequantize.input[0])
            if quantize is not None and quantize.op_type == QUANTIZE and _only_from_weighted(model, quantize.input[0]):
                add.input[i] = quantize.input[0]     # what only the rounding read goes with `finalized`
                break
