# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
"""Wire codec: frame 0 is a MessagePack header, raw little-endian tensors follow.

The header is decoded by `msgpack` with strict limits, then checked against its type; nothing is executed,
nothing is unpickled, and no length in a header is believed before it is compared with the frame that came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgpack
import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.bounds import Count, Seconds
from swarm.core.messages import Body

PROTOCOL = 1
MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 16
MAX_TENSOR_BYTES = 64 << 20
DTYPES = ("uint8", "int8", "float16", "float32", "int32", "int64")
Buffer = bytes | memoryview


class TensorHeader(msgspec.Struct, frozen=True, array_like=True):
    """Element type and shape of a tensor frame."""

    dtype: str
    shape: list[int]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries."""

    v: int
    swarm: str
    sender: str
    boot: Count
    body: Body
    budget_s: Seconds | None = None    # what is left of the deadline, if there is one
    tensors: list[TensorHeader] = []


class WireError(ValueError):
    """A message that is not what it says; `cause` is a short word to count by."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause


def encode(envelope: Envelope, tensors: Sequence[NDArray[Any]] = ()) -> list[Buffer]:
    """Frames of a message: the header, then each tensor's bytes without a copy if it is contiguous."""
    arrays = [np.asarray(t, order="C") for t in tensors]
    headers = [TensorHeader(a.dtype.name, list(a.shape)) for a in arrays]
    head = msgspec.to_builtins(msgspec.structs.replace(envelope, tensors=headers), builtin_types=(bytes,))
    return [cast(bytes, msgpack.packb(head)), *(a.reshape(-1).view(np.uint8).data for a in arrays)]


def decode(frames: Sequence[Buffer]) -> tuple[Envelope, list[NDArray[Any]]]:
    """A message and its tensors (views of the frames, read-only).

    Raises: WireError with cause `header`, `version`, `tensor`.
    """
    if not frames or len(frames[0]) > MAX_HEADER_BYTES:
        raise WireError("header", f"{len(frames)} frames, header over {MAX_HEADER_BYTES} bytes or absent")
    try:
        raw = msgpack.unpackb(
            frames[0], max_str_len=4096, max_bin_len=MAX_HEADER_BYTES, max_array_len=65536,
            max_map_len=4096, max_ext_len=0, strict_map_key=True,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise WireError("header", f"not MessagePack: {error}") from None
    if not isinstance(raw, dict) or raw.get("v") != PROTOCOL:
        raise WireError("version", f"protocol {PROTOCOL} is spoken here")
    try:
        envelope = msgspec.convert(raw, Envelope)
    except (msgspec.ValidationError, RecursionError) as error:
        raise WireError("header", str(error)) from None
    if len(envelope.tensors) != len(frames) - 1 or len(frames) - 1 > MAX_TENSORS:
        raise WireError("tensor", f"{len(envelope.tensors)} announced, {len(frames) - 1} came")
    return envelope, [_tensor(h, f) for h, f in zip(envelope.tensors, frames[1:], strict=True)]


def _tensor(header: TensorHeader, frame: Buffer) -> NDArray[Any]:
    if header.dtype not in DTYPES or len(header.shape) > 8 or any(not 0 <= n <= MAX_TENSOR_BYTES for n in header.shape):
        raise WireError("tensor", f"{header.dtype} {header.shape}")
    dtype = np.dtype(header.dtype)
    count = 1
    for n in header.shape:
        count *= n                       # Python integers: no overflow
    if count * dtype.itemsize != len(frame) or len(frame) > MAX_TENSOR_BYTES:
        raise WireError("tensor", f"{header.dtype} {header.shape} is not {len(frame)} bytes")
    try:
        array = np.frombuffer(frame, dtype).reshape(header.shape)
    except ValueError as error:          # shapes with a zero in them can be beyond what numpy counts
        raise WireError("tensor", str(error)) from None
    array.flags.writeable = False
    return array
