# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
"""Wire codec: frame 0 is a MessagePack header, raw little-endian tensors follow; small ones lie in the header.

A header is bounded in size. It is decoded and checked against its type in one pass, which takes a third of the time of
two passes. Nothing is executed or unpickled, and every length in a header is compared with the received bytes before it
is used.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.bounds import Count, Seconds
from swarm.core.protocol.messages import Body

PROTOCOL = 3
MAX_HEADER_BYTES = 1 << 20
CRC_BYTES = 4
MAX_TENSORS = 16
MAX_TENSOR_BYTES = 64 << 20          # of one tensor, and of all tensors of a message
DTYPES = {
    name: np.dtype(name).itemsize
    for name in ("bool", "uint8", "int8", "uint16", "int16", "float16", "uint32", "int32", "float32", "uint64", "int64",
                 "float64")
}
"""Element types that tensors of messages may have, with their sizes in bytes."""
_NAMES = {np.dtype(code).num: np.dtype(code).name for code in np.typecodes["All"] if np.dtype(code).name in DTYPES}
"""Names by numpy's type number, which is faster to look up. An element type may have two numbers."""
LITTLE_ENDIAN = sys.byteorder == "little"
Buffer = bytes | memoryview


class TensorHeader(msgspec.Struct, frozen=True, array_like=True):
    """Element type and shape of a tensor frame."""

    dtype: str
    shape: list[int]

    @property
    def bytes(self) -> int:
        """Size on the wire."""
        return DTYPES[self.dtype] * math.prod(self.shape)


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """The receiver's state of a bulk lane, sent back to its sender with any message."""

    number: Count                      # of the newest bulk message that was received
    held_s: Seconds                    # since that message
    lost: Count                        # numbers that were skipped so far


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The header of every message."""

    v: int
    swarm: str
    sender: str
    boot: Count
    body: Body
    budget_s: Seconds | None = None    # time left until the deadline, if there is one
    tensors: list[TensorHeader] = []
    number: Count = 0                  # of the bulk lane's messages to this peer, from 1 on
    transfer: Count = 0                # not 0: the tensors follow in chunks under this id
    receipt: Receipt | None = None
    inline: list[bytes] = []           # small tensors: a frame of their own would cost more than the copy


class _Version(msgspec.Struct):
    v: int


_VERSION_DECODER = msgspec.msgpack.Decoder(_Version)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Envelope)


class WireError(ValueError):
    """An invalid message; `cause` is a short word to count by."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail:.200}")
        self.cause, self.detail = cause, detail

    def sent_by(self, sender: str) -> WireError:
        """The same of a message whose sender is known."""
        return WireError(self.cause, f"from {sender}: {self.detail}")


def encode(envelope: Envelope, tensors: Sequence[NDArray[Any]] = ()) -> list[Buffer]:
    """Frames of a message: the header, which must announce the tensors, then the bytes of each, not copied.

    tensors: as `contiguous` returns them; none if they are inline or follow in chunks.
    """
    return [_ENCODER.encode(envelope), *[buffer_of(t) for t in tensors]]


def header(envelope: Envelope) -> bytes:
    """The header frame of a message without other frames."""
    return _ENCODER.encode(envelope)


def with_crc(header: bytes) -> bytes:
    """A header followed by its CRC-32. Flipped bits of tensors are left to encryption and TCP to detect."""
    return header + zlib.crc32(header).to_bytes(CRC_BYTES, "little")


def without_crc(frame: Buffer) -> memoryview:
    """The header in a first frame. Raises: WireError `checksum` if it was corrupted, `header` if it is too long."""
    whole = memoryview(frame)
    size = len(whole)
    if size > MAX_HEADER_BYTES + CRC_BYTES:
        raise WireError("header", f"{size} bytes, at most {MAX_HEADER_BYTES} are accepted")
    header = whole[:-CRC_BYTES]
    if zlib.crc32(header) != int.from_bytes(whole[-CRC_BYTES:], "little") or size < CRC_BYTES:
        raise WireError("checksum", f"a header of {size} bytes")
    return header


def contiguous(tensor: NDArray[Any]) -> NDArray[Any]:
    """The tensor in the form of the wire: row-major, little-endian."""
    if tensor.flags.c_contiguous and tensor.dtype.isnative and LITTLE_ENDIAN:
        return tensor
    return np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C")


def header_of(tensor: NDArray[Any]) -> TensorHeader:
    """The header of a tensor. Raises: KeyError for an element type that messages may not have."""
    return TensorHeader(_NAMES[tensor.dtype.num], list(tensor.shape))


def buffer_of(tensor: NDArray[Any]) -> memoryview:
    """The bytes of a contiguous tensor, not copied."""
    return tensor.reshape(-1).view(np.uint8).data


def decode(frames: Sequence[Buffer]) -> tuple[Envelope, list[NDArray[Any]]]:
    """A message and its tensors (views of the frames, read-only).

    Raises: WireError with cause `header`, `version`, `tensor`.
    """
    if not frames or len(frames[0]) > MAX_HEADER_BYTES:
        raise WireError("header", f"{len(frames)} frames, header over {MAX_HEADER_BYTES} bytes or absent")
    try:
        envelope = _DECODER.decode(frames[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_version(frames[0])            # another version may have another header
        raise WireError("header", str(error)) from None
    if envelope.v != PROTOCOL:
        raise WireError("version", f"this process speaks protocol {PROTOCOL}, not {envelope.v}")
    if not envelope.tensors and not envelope.inline and len(frames) == 1:
        return envelope, []                  # as most messages are
    sizes = _sizes(envelope.tensors)
    if envelope.transfer:                    # its tensors come in chunks
        if len(frames) > 1 or envelope.inline:
            raise WireError("tensor", "announced in chunks, but received at once")
        return envelope, []
    parts = envelope.inline or frames[1:]
    if len(envelope.tensors) != len(parts) or (envelope.inline and len(frames) > 1):
        raise WireError("tensor", f"{len(envelope.tensors)} announced, {len(parts)} received")
    return envelope, [_tensor(h, n, f) for h, n, f in zip(envelope.tensors, sizes, parts, strict=True)]


def _check_version(frame: Buffer) -> None:
    """Raises: WireError `version` if a header that cannot be decoded is of another version."""
    try:
        other = _VERSION_DECODER.decode(frame).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if other != PROTOCOL:
        raise WireError("version", f"this process speaks protocol {PROTOCOL}, not {other}")


def _sizes(headers: Sequence[TensorHeader]) -> list[int]:
    """Bytes of each tensor. Raises: WireError for a message that breaks a limit, before anything is allocated."""
    if len(headers) > MAX_TENSORS:
        raise WireError("tensor", f"{len(headers)} announced, at most {MAX_TENSORS} are accepted")
    sizes: list[int] = []
    for h in headers:
        most = DTYPES.get(h.dtype, 0)
        if not most or len(h.shape) > 8:
            raise WireError("tensor", f"{h.dtype} of {len(h.shape)} dimensions")
        empty = False
        for n in h.shape:
            if n < 0:
                raise WireError("tensor", f"{h.dtype} {h.shape}")
            empty |= n == 0
            most *= n or 1               # as numpy checks sizes: zeros are left out; Python's integers do not overflow
        if most > MAX_TENSOR_BYTES:
            raise WireError("tensor", f"{h.dtype} {h.shape} is larger than {MAX_TENSOR_BYTES} bytes")
        sizes.append(0 if empty else most)
    if sum(sizes) > MAX_TENSOR_BYTES:
        raise WireError("tensor", f"over {MAX_TENSOR_BYTES} bytes in all")
    return sizes


def _tensor(header: TensorHeader, size: int, frame: Buffer) -> NDArray[Any]:
    if size != len(frame):
        raise WireError("tensor", f"{header.dtype} {header.shape} is not {len(frame)} bytes")
    tensor = np.frombuffer(frame, header.dtype)
    return checked(tensor if len(header.shape) == 1 else tensor.reshape(header.shape))


def checked(tensor: NDArray[Any]) -> NDArray[Any]:
    """A tensor from the wire, read-only. Raises: WireError for a bool that is neither 0 nor 1."""
    if tensor.dtype.kind == "b" and tensor.size and tensor.view(np.uint8).max() > 1:
        raise WireError("tensor", "a bool must be 0 or 1")
    if tensor.flags.writeable:
        tensor.flags.writeable = False
    return tensor
