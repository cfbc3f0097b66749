"""Imports an ONNX file as a model of the store: reads, checks, fixes the shapes, describes and measures it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from models import store
from models.build.graph.graph import Graph
from models.build.graph.normalize import bind, leading_axes
from models.build.graph.order import bodies
from models.build.graph.tensors import spec_of, value_info
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import host_processor, run_times
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from swarm.core.settings.cards import AGREEMENT, Card, Precision, Variant
from swarm.core.settings.errors import BadInput

MAX_BYTES = 2**31 - 1
"""Limit of one protobuf file; a model of the store is one file."""


def read(path: Path) -> ModelProto:
    """The model in a file, with its external data.

    Raises: BadInput if it is not a valid model, or too large for one file.
    """
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
        size_bytes = path.stat().st_size + sum(_external_bytes(tensor, path.parent) for tensor in _tensors(model.graph))
        if size_bytes > MAX_BYTES:
            raise BadInput(str(path), f"holds {size_bytes:,} bytes with its external data",
                           "at most 2 GiB: a model of the store is one file")
        load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except OSError as error:
        raise BadInput(str(error.filename or path), error.strerror or str(error),
                       "an ONNX file, with its external data beside it") from None
    except DecodeError:
        raise BadInput(str(path), "is not an ONNX model", "a file from onnx.save or an exporter") from None
    except (onnx.checker.ValidationError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise BadInput(str(path), f"is not valid: {reason}", "a valid ONNX model") from None
    return model


def static(model: ModelProto, sizes: Mapping[str, int], name: str = "") -> tuple[Graph, dict[str, int]]:
    """The model with static types and shapes, and the sizes of its dynamic axes. `name` is the graph's name in errors.

    The size of a batch axis is 1 by default.
    Raises: BadInput for an axis without a size, for an output without a static type and shape or with another shape
    than in the file, and for a graph that cannot be run.
    """
    bound_sizes = dict.fromkeys(leading_axes(model), 1) | dict(sizes)
    bound = ModelProto()
    bound.CopyFrom(model)
    bind(bound, bound_sizes)
    graph = Graph(bound)
    made = Runner(graph.model, name=name).run_named(next(random_inputs(graph.model, 1)))
    for value in graph.model.graph.output:
        spec = graph.specs.get(value.name)
        if spec is None:
            why = graph.unknown.get(value.name, "its type is not known")
            raise BadInput(f"output {value.name!r}", why, "tensors of one shape")
        if list(made[value.name].shape) != spec.shape:
            raise BadInput(f"output {value.name!r}", f"has shape {list(made[value.name].shape)}",
                           f"{spec.shape}, as the file says")
    for value in [*graph.model.graph.output, *graph.model.graph.value_info]:
        spec = graph.specs.get(value.name)
        if spec is not None and spec_of(value) != spec:
            value.CopyFrom(value_info(spec))
    return graph, bound_sizes


def import_file(
    path: Path, name: str, sizes: Mapping[str, int], folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Card:
    """Store a file as model `name` with a card, in `folder` or at home; unchanged if nothing had to be fixed.

    The model has no task: its inputs and outputs are tensors. If the same file was imported before, nothing changes,
    because the model may have been cut and quantized since.
    Raises: BadInput, as `read` and `static`, or if the name is taken.
    """
    say(f"reading {path}")
    model = read(path)
    source = path.read_bytes()
    source_sha256 = hashlib.sha256(source).hexdigest()
    existing = _existing(name, source_sha256, folder)
    graph, bound = static(model, sizes, str(path))
    model = graph.model
    same = model == onnx.load_model_from_string(source)
    sha256, size_bytes = store.put(source if same else model.SerializeToString(deterministic=True), folder)
    if existing is not None:
        if sha256 not in (variant.sha256 for variant in existing.variants.values()):
            raise BadInput(f"model {name!r}", "exists already, with axes of other sizes", "another --name")
        return existing
    file = store.blob(sha256, size_bytes, folder, name)
    say(f"measuring {name}")
    precision: Precision = "int8" if any(map(_is_int8, _nodes(model.graph))) else "fp32"
    variant = Variant(precision=precision, sha256=sha256, bytes=size_bytes, memory_bytes=memory_bytes(file),
                      metrics={AGREEMENT: 1.0}, run_time=run_times({name: file})[name])
    card = Card(
        name=name, task="", inputs=[graph.specs[key] for key in graph.inputs],
        outputs=[graph.specs[key] for key in graph.outputs],
        parameters=sum(prod(tensor.dims) for tensor in _tensors(model.graph)),
        opset=next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0),
        ir_version=model.ir_version, primary_metric=AGREEMENT, variants={precision: variant}, macs=sum(graph.macs),
        operators=dict(sorted(Counter(map(_operator, _nodes(model.graph))).items())), dynamic_axes=bound,
        made_by=f"swarm models import {path.name}",
        made_with={"file": path.name, "sha256": source_sha256, "host": host_processor(),
                   "onnx": version("onnx"), "onnxruntime": version("onnxruntime")},
    )
    store.save_card(card, folder)
    return card


def _existing(name: str, source_sha256: str, folder: Path | None) -> Card | None:
    """The model of this name, if it exists. Raises: BadInput if it is from another file, or the name is not allowed."""
    store.must_be_name(name)
    if name not in store.names(folder):
        return None
    card = store.load_card(name, folder)
    if card.made_with.get("sha256") != source_sha256:
        raise BadInput(f"model {name!r}", "exists already, from another file", "another --name")
    return card


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes, including those of bodies."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from _nodes(body)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All constants: initializers, including those of bodies, and tensors of Constant nodes."""
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))
        for body in bodies(node):
            yield from _tensors(body)


def _external_bytes(tensor: TensorProto, folder: Path) -> int:
    """Bytes of the tensor's external data: the stated length, or the rest of the file."""
    if not uses_external_data(tensor):
        return 0
    entry = {part.key: part.value for part in tensor.external_data}
    if "length" in entry:
        return int(entry["length"])
    return max((folder / entry.get("location", "")).stat().st_size - int(entry.get("offset", 0)), 0)


def _operator(node: NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _is_int8(node: NodeProto) -> bool:
    return "Quantize" in node.op_type or node.op_type.startswith("QLinear") or node.op_type.endswith("Integer")
