"""The form of a graph that ONNX Runtime's quantizer takes, and the way back.

The quantizer overlooks what bodies of If, Loop and Scan read of the graph around them, and fails at sparse constants,
at omitted inputs at the end of a node, and at outputs that no node makes.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, SparseTensorProto, TensorProto, ValueInfoProto, numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process

from models.build.graph.graph import WITHIN_INT8
from models.build.graph.normalize import normalized
from models.build.graph.order import all_nodes, bodies, captured, in_order, needed, reads
from models.build.graph.versions import name_default_domain, opset_of

MIN_OPSET = 13
"""First opset in which a QuantizeLinear has scales per channel."""


SPARSE = "sparse_value"
"""Attribute of a Constant."""


class QuantizerError(ValueError):
    """ONNX Runtime's quantizer cannot quantize the graph in one way: its error in one line."""


def prepared(model: ModelProto) -> ModelProto:
    """The float graph in the form that the quantizer needs: opset, known shapes, folded normalizations, named nodes.

    Raises: ValueError with the reason if the graph cannot be converted.
    """
    plain = normalized(model)
    _simplify(plain.graph)
    name_default_domain(plain)
    if not opset_of(plain):              # the quantizer wants one, also for a graph that does not use it
        plain.opset_import.append(onnx.helper.make_opsetid("", MIN_OPSET))
    if (opset := opset_of(plain)) < MIN_OPSET:
        try:
            plain = onnx.version_converter.convert_version(plain, MIN_OPSET)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"opset {opset} cannot be converted to {MIN_OPSET}: {error}") from None
    with files(plain) as (source, target), quiet_quantizer():
        quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        ready = finalized(onnx.load(target), plain)
    taken = {node.name for node in ready.graph.node}
    for node in ready.graph.node:
        if not node.name:                # then messages call it by its first output
            made = next(filter(None, node.output))
            node.name = next(name for name in chain([made], (f"{made}_{i}" for i in count(2))) if name not in taken)
            taken.add(node.name)
    return ready


def core(model: ModelProto) -> ModelProto:
    """A copy whose outputs are those that nodes make, and the tensors that bodies read, so that these keep their names.

    The quantizer gives a tensor that only an activation reads the range after the activation; a second reader prevents
    it where the tensor itself is an output. `finalized` takes all this back.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    made = {name for node in graph.node for name in node.output}
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    inner = [name for node in graph.node for body in bodies(node) for name in captured(body)]
    wanted = [name for name in dict.fromkeys([*(value.name for value in model.graph.output), *inner]) if name in made]
    outputs = [known.get(name) or ValueInfoProto(name=name) for name in wanted]
    del graph.output[:]
    graph.output.extend(outputs)
    limited = {name for node in graph.node if node.op_type in WITHIN_INT8 for name in node.input[:1]}
    graph.node.extend(onnx.helper.make_node("Identity", [name], [f"{name}_read_again"], f"{name}_read_again")
                      for name in wanted if name in limited)
    return copy


def finalized(model: ModelProto, like: ModelProto) -> ModelProto:
    """The model with the outputs and the IR version of `like`, in order, with only the operator sets that it uses.

    Constants that the quantizer has dropped, although bodies read them or they are outputs, come back. Checked; shapes
    are inferred.
    """
    graph = model.graph
    del graph.output[:]
    graph.output.extend(like.graph.output)
    ends = [value.name for value in graph.output]
    made = {name for node in graph.node for name in node.output} | {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in reads(node)}.union(ends)
    graph.initializer.extend(tensor for tensor in like.graph.initializer if tensor.name in read - made)
    available = [one.name for one in (*graph.input, *graph.initializer)]
    ordered = in_order(needed(graph.node, ends), available)
    del graph.node[:]
    graph.node.extend(ordered)
    used = {node.domain for node in all_nodes(graph)} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ir_version = like.ir_version
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


@contextlib.contextmanager
def files(model: ModelProto) -> Iterator[tuple[Path, Path]]:
    """A file with the graph, and the path for the result."""
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        source = Path(folder) / "source.onnx"
        onnx.save(model, source)
        yield source, Path(folder) / "target.onnx"


@contextlib.contextmanager
def quiet_quantizer() -> Iterator[None]:
    """Suppress the quantizer's advice and warnings, and the output of its calibrator. Raises: QuantizerError."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:           # whatever the quantizer trips over: assertions, missing keys, errors of onnx
        reason = " ".join(str(error).split()) or type(error).__name__
        raise QuantizerError(f"ONNX Runtime's quantizer fails: {reason}") from error
    finally:
        logging.getLogger().setLevel(level)


def _simplify(graph: GraphProto) -> None:
    """Dense constants, and no omitted inputs at the end of a node; also in bodies."""
    graph.initializer.extend(map(_dense, graph.sparse_initializer))
    del graph.sparse_initializer[:]
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == SPARSE]:
        graph.initializer.append(_dense(node.attribute[0].sparse_tensor))
        graph.initializer[-1].name = node.output[0]
        graph.node.remove(node)
    for node in graph.node:
        while node.input and not node.input[-1]:
            node.input.pop()
        for body in bodies(node):
            _simplify(body)


def _dense(sparse: SparseTensorProto) -> TensorProto:
    """The tensor with all its zeros; indices are flat [n], or by axis [n, axes]."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    dense = np.zeros(list(sparse.dims), values.dtype)
    dense.reshape(-1)[np.ravel_multi_index(tuple(indices.T), dense.shape) if indices.ndim > 1 else indices] = values
    return numpy_helper.from_array(dense, sparse.values.name)
