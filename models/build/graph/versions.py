"""Lowers the opset and the IR version of a graph to those that the oldest runtime of boards takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx
from google.protobuf.message import Message
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, version_converter

from models.build.graph.order import all_nodes
from models.build.graph.repeatable import Feed, same
from models.build.measure.runner import Runner, RunnerError
from models.oldest_runtime import LAST_TYPE, MAX_IR, MAX_OPSETS

DEFAULT = ("", "ai.onnx")
"""The two names of the default domain."""


def opset_of(model: ModelProto) -> int:
    """Version of the default domain; 0 if the model does not use it."""
    return next((entry.version for entry in model.opset_import if entry.domain in DEFAULT), 0)


def name_default_domain(model: ModelProto) -> None:
    """Call the default domain by its first name, in place."""
    for one in (*all_nodes(model.graph), *model.opset_import):
        if one.domain == DEFAULT[1]:
            one.domain = DEFAULT[0]


def lowered(model: ModelProto, feeds: Sequence[Feed]) -> ModelProto:
    """The model with versions that the oldest runtime takes, if nothing in it needs later ones; else `model` itself.

    A new opset is taken only if the outputs on `feeds` keep every bit. If this runtime cannot run the model as it is,
    it is taken if all operators are the same in both opsets.
    """
    changed = model
    if model.ir_version > MAX_IR and max(_types(model), default=0) <= LAST_TYPE:
        changed = _copy(model)
        changed.ir_version = MAX_IR
    if any(entry.version > _most(entry.domain, entry.version) for entry in model.opset_import):
        changed = _with_older_opset(changed, feeds) or model
    return changed


def _with_older_opset(model: ModelProto, feeds: Sequence[Feed]) -> ModelProto | None:
    """The model with older operator sets and the same outputs, or None: with other numbers alone, or converted."""
    relabelled = _copy(model)
    for entry in relabelled.opset_import:
        entry.version = _most(entry.domain, entry.version)
    unchanged = all(_since(node, model) == _since(node, relabelled) for node in all_nodes(model.graph))
    expected = _outputs(model, feeds)
    for candidate in (relabelled,) if unchanged else (_converted(model), relabelled):
        found = _outputs(candidate, feeds) if candidate is not None and _is_valid(candidate) else None
        if found is None:
            continue
        if unchanged if expected is None else all(map(same, expected, found)):
            return candidate
    return None


def _most(domain: str, version: int) -> int:
    """The latest version of an operator set that the oldest runtime takes, but no later than `version`."""
    return min(version, MAX_OPSETS.get("" if domain in DEFAULT else domain, version))


def _since(node: NodeProto, model: ModelProto) -> int:
    """The version that last changed the operator, as the model's operator sets have it; 0 if onnx does not know it."""
    domain = "" if node.domain in DEFAULT else node.domain
    version = next((entry.version for entry in model.opset_import
                    if entry.domain == node.domain or {entry.domain, node.domain} <= set(DEFAULT)), 0)
    try:
        return onnx.defs.get_schema(node.op_type, version, domain).since_version
    except onnx.defs.SchemaError:
        return 0


def _converted(model: ModelProto) -> ModelProto | None:
    try:
        return version_converter.convert_version(model, MAX_OPSETS[""])
    except (RuntimeError, ValueError):
        return None


def _is_valid(model: ModelProto) -> bool:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError:
        return False
    return True


def _outputs(model: ModelProto, feeds: Sequence[Feed]) -> list[list[NDArray]] | None:
    try:
        runner = Runner(model)
        return [runner.run(feed) for feed in feeds]
    except RunnerError:
        return None


def _types(message: Message) -> Iterator[int]:
    """The numbers of all element types in a model."""
    fields = {field.name: value for field, value in message.ListFields()}
    if isinstance(message, (TensorProto, TypeProto.Tensor, TypeProto.SparseTensor)):
        yield fields.get("data_type", fields.get("elem_type", 0))
    elif isinstance(message, onnx.AttributeProto) and message.name in ("to", "dtype"):
        yield message.i
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in ([value] if isinstance(value, Message) else value):
                yield from _types(one)


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy
