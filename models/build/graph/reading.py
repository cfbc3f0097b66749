"""Reads a model from a file, with its external data."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from models.build.graph.order import all_tensors
from models.build.graph.versions import name_default_domain
from swarm.core.settings.errors import BadInput

MAX_BYTES = 2**31 - 1
"""Limit of one protobuf file; a model of the store is one file."""


def read(path: Path) -> ModelProto:
    """The model in a file, with its external data.

    Raises: BadInput if it is not a valid model, or too large for one file.
    """
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
        size_bytes = path.stat().st_size + sum(_external_bytes(tensor, path) for tensor in all_tensors(model.graph))
        if size_bytes > MAX_BYTES:
            raise BadInput(str(path), f"holds {size_bytes:,} bytes with its external data",
                           "at most 2 GiB: a model of the store is one file")
        load_external_data_for_model(model, str(path.parent))
        model.graph.name = model.graph.name or "graph"           # it carries no meaning, but must be there
        name_default_domain(model)
        _check(model)
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


def _check(model: ModelProto) -> None:
    """Raises: ValidationError. An input or an output without a shape is valid: import gives it one."""
    ends = [value.type.tensor_type for value in (*model.graph.input, *model.graph.output)
            if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")]
    for kind in ends:
        kind.shape.SetInParent()
    onnx.checker.check_model(model)
    for kind in ends:
        kind.ClearField("shape")


def _external_bytes(tensor: TensorProto, path: Path) -> int:
    """Bytes of the tensor's external data: the stated length, or the rest of the file.

    Raises: BadInput if the file is not there or too short.
    """
    entry = {part.key: part.value for part in tensor.external_data}
    if not uses_external_data(tensor) or "location" not in entry:
        return 0
    file = path.parent / entry["location"]
    if not file.is_file():
        raise BadInput(str(path), f"tensor {tensor.name!r} lies in {entry['location']!r}, which is not there",
                       f"copy that file into {path.parent} too")
    offset, held_bytes = int(entry.get("offset", 0)), file.stat().st_size
    length = int(entry.get("length", max(held_bytes - offset, 0)))
    if offset + length > held_bytes:
        raise BadInput(str(path), f"tensor {tensor.name!r} ends at byte {offset + length:,} of {file.name!r}, which "
                       f"has {held_bytes:,} bytes", "copy that file again, whole")
    return length
