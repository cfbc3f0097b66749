"""Imports an ONNX file as a model of the store: reads, checks, fixes the shapes, describes and measures it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from math import prod
from pathlib import Path

import msgspec
import onnx
from onnx import NodeProto

from models import store
from models.build.cut.compare import is_finite
from models.build.describing import Described, described
from models.build.graph.graph import Graph
from models.build.graph.order import all_nodes, all_tensors
from models.build.graph.reading import read
from models.build.graph.repeatable import first_not_finite, why_not_repeatable
from models.build.graph.static import static
from models.build.graph.versions import DEFAULT, opset_of
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import host_processor, run_times
from models.build.measure.random_inputs import random_inputs
from models.build.measure.runner import Runner
from models.oldest_runtime import BOARDS
from swarm.core.settings.cards import AGREEMENT, Card, Precision, Variant
from swarm.core.settings.errors import BadInput

Say = Callable[[str], None]
NAME_MAX = 64                        # characters of a model's name


def import_file(
    path: Path, name: str, sizes: Mapping[str, int], folder: Path | None = None,
    say: Say = lambda _: None, note: Say = lambda _: None, inputs: Sequence[str] = (), told: Described | None = None,
) -> Card:
    """Store a file as model `name` with a card, in `folder` or at home; unchanged if nothing had to be fixed.

    If the same file was imported before, at most its task changes, because the model may have been cut and quantized
    since.
    Args: `say` is called with the progress; `note` with what the user should know of the graph. inputs: values of
    single inputs, as NAME=FILE.npy. told: of its task; None: it has none, and no stream can have it.
    Raises: BadInput, as `read`, `static` and `described`, if the name is taken, or if the same input gives other
    outputs in another run: then no cut could be verified, and no other variant judged.
    """
    say(f"reading {path}")
    model = read(path)
    source = path.read_bytes()
    source_sha256 = hashlib.sha256(source).hexdigest()
    existing = _existing(name, source_sha256, folder)
    graph, bound = static(model, sizes, str(path), inputs)
    feeds = list(random_inputs(graph.model, 2, given=graph.given))
    where, how, cure = why_not_repeatable(graph.model, feeds)
    if how:
        raise BadInput(f"{path}: {where}", how, cure)
    if graph.model.ir_version < model.ir_version or opset_of(graph.model) < opset_of(model):
        note(f"lowered from opset {opset_of(model)} and IR {model.ir_version}, which {BOARDS} cannot load")
    runner = Runner(graph.model)
    card = described(_facts(name, graph, bound), told, graph.given, runner.run) if told is not None else None
    if not is_finite(runner.run_named(feeds[0])):
        node = first_not_finite(graph.model, feeds[0])
        note("on random inputs its output has infinite or NaN values" + (f", first in {node}" if node else ""))
    model = graph.model
    same = model == onnx.load_model_from_string(source)
    sha256, size_bytes = store.put(source if same else model.SerializeToString(deterministic=True), folder)
    if existing is not None:
        if sha256 not in (variant.sha256 for variant in existing.variants.values()):
            raise BadInput(f"model {name!r}", "exists already, with axes of other sizes or by another version of swarm",
                           "another --name")
        if card is not None and (with_task := _with_task_of(existing, card)) != existing:
            store.save_card(with_task, folder)
            return with_task
        return existing
    file = store.blob(sha256, size_bytes, folder, name)
    say(f"measuring {name}")
    precision: Precision = "int8" if any(map(_is_int8, all_nodes(model.graph))) else "fp32"
    variant = Variant(precision=precision, sha256=sha256, bytes=size_bytes, memory_bytes=memory_bytes(file),
                      metrics={AGREEMENT: 1.0}, run_time=run_times({name: file})[name])
    card = msgspec.structs.replace(
        card or _facts(name, graph, bound), variants={precision: variant}, made_by=f"swarm models import {path.name}",
        made_with={"file": path.name, "sha256": source_sha256, "host": host_processor(),
                   "onnx": version("onnx"), "onnxruntime": version("onnxruntime")},
    )
    store.save_card(card, folder)
    return card


def _facts(name: str, graph: Graph, bound: Mapping[str, int]) -> Card:
    """A card of a graph without variants and without a task."""
    model = graph.model
    return Card(
        name=name, task="", inputs=[graph.specs[key] for key in graph.inputs],
        outputs=[graph.specs[key] for key in graph.outputs],
        parameters=sum(prod(tensor.dims) for tensor in all_tensors(model.graph)), opset=opset_of(model),
        ir_version=model.ir_version, primary_metric=AGREEMENT, variants={}, macs=sum(graph.macs),
        operators=dict(sorted(Counter(map(_operator, all_nodes(model.graph))).items())), dynamic_axes=dict(bound),
        made_by="", made_with={},
    )


def _with_task_of(card: Card, other: Card) -> Card:
    """A card with another one's task and what belongs to it."""
    return msgspec.structs.replace(
        card, task=other.task, task_sha256=other.task_sha256, labels=other.labels, sensor=other.sensor,
        image=other.image, reading=other.reading, threshold=other.threshold, constants=other.constants)


def name_of(stem: str) -> str:
    """The name of a model that is made from that of its file, whatever this begins with."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
    if not name[:1].isascii() or not name[:1].isalpha() or name == store.BLOBS:
        name = f"model_{name.lstrip('_')}"
    return name[:NAME_MAX]


def _existing(name: str, source_sha256: str, folder: Path | None) -> Card | None:
    """The model of this name, if it exists. Raises: BadInput if it is from another file, or the name is not allowed."""
    store.must_be_name(name)
    if name not in store.names(folder):
        return None
    card = store.load_card(name, folder)
    if card.made_with.get("sha256") != source_sha256:
        raise BadInput(f"model {name!r}", "exists already, from another file", "another --name")
    return card


def _operator(node: NodeProto) -> str:
    return node.op_type if node.domain in DEFAULT else f"{node.domain}.{node.op_type}"


def _is_int8(node: NodeProto) -> bool:
    return "Quantize" in node.op_type or node.op_type.startswith("QLinear") or node.op_type.endswith("Integer")
