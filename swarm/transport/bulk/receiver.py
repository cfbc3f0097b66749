"""The bulk lane from one peer: message numbers, receipts, and transfers assembled from chunks.

Deterministic. The tensors of a transfer are allocated once, when it is announced, and filled in order; a chunk that
does not continue the transfer ends it. Memory is bounded by what was announced, never by later claims.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.messages import Chunk
from swarm.core.protocol.wire import MAX_TENSOR_BYTES, Buffer, Envelope, Receipt, WireError, buffer_of, checked
from swarm.core.units import ns, seconds

MOST_TRANSFERS = 4                   # open at once from one peer
IDLE_NS = ns(10.0)                   # a transfer without progress for this long is dropped
AFTER_LOSS_NS = ns(1.0)              # or for this long, if a message was lost since: it may have been the last chunk


class ReceiverStatistics(NamedTuple):
    """The transfers from one peer that are being assembled."""

    transfers: int
    bytes: int                       # allocated for them


class _Transfer:
    __slots__ = ("begun_ns", "envelope", "left", "moved_ns", "offset", "tensor", "tensors")

    def __init__(self, envelope: Envelope, now: int) -> None:
        self.envelope, self.begun_ns, self.moved_ns = envelope, now, now
        self.tensors = [np.empty(h.shape, h.dtype) for h in envelope.tensors]
        self.left = sum(t.nbytes for t in self.tensors)
        self.tensor = self.offset = 0


class Complete:
    """A message with all its tensors. begun_ns: when it was announced."""

    __slots__ = ("begun_ns", "envelope", "tensors")

    def __init__(self, envelope: Envelope, tensors: list[NDArray[Any]], begun_ns: int) -> None:
        self.envelope, self.tensors, self.begun_ns = envelope, tensors, begun_ns


class Incoming:
    """The bulk lane from one start of one peer."""

    def __init__(self, boot: int) -> None:
        self.boot = boot
        self.unreceipted_bytes = 0       # received since the last receipt
        self.owes_receipt = False
        self._number = self._lost = self._at_ns = 0
        self._lost_ns = -1               # when a loss was last seen
        self._open: dict[int, _Transfer] = {}

    def on_message(self, number: int, size: int, now: int) -> None:
        """A bulk message of `size` bytes was received. Raises: WireError `number` unless its number is a new one."""
        if number <= self._number:
            raise WireError("number", f"{number} received after {self._number}")
        if self._number:                 # earlier messages are not lost: we may have started after the peer
            missed = number - self._number - 1
            self._lost += missed
            self._lost_ns = now if missed else self._lost_ns
        self._number, self._at_ns = number, now
        self.unreceipted_bytes += size
        self.owes_receipt = True

    def receipt(self, now: int) -> Receipt | None:
        """The receipt to send, until `receipt_sent` is called; None: no receipt is due."""
        if not self.owes_receipt:
            return None
        return Receipt(self._number, seconds(max(0, now - self._at_ns)), self._lost)

    def receipt_sent(self) -> None:
        """The receipt was sent."""
        self.owes_receipt, self.unreceipted_bytes = False, 0

    def on_announcement(self, envelope: Envelope, now: int, most_bytes: int = MAX_TENSOR_BYTES) -> None:
        """A transfer begins. Raises: WireError `transfer` if it is open already or would exceed a limit.

        most_bytes: of all transfers that this peer may have open.
        """
        size = sum(h.bytes for h in envelope.tensors)
        if envelope.transfer in self._open:
            raise WireError("transfer", f"{envelope.transfer} is open already")
        if not size or len(self._open) >= MOST_TRANSFERS or self.open_bytes + size > most_bytes:
            raise WireError("transfer", f"{size} bytes beside {len(self._open)} transfers of {self.open_bytes} bytes")
        self._open[envelope.transfer] = _Transfer(envelope, now)

    def on_chunk(self, chunk: Chunk, piece: Buffer, now: int) -> Complete | None:
        """The next bytes of a transfer. Returns the message, if they were the last.

        Raises: WireError `chunk` if it is repeated, out of order, too long, empty or of no open transfer.
        """
        transfer = self._open.get(chunk.transfer)
        if transfer is None:
            raise WireError("chunk", f"of transfer {chunk.transfer}, which is not open")
        while transfer.tensors[transfer.tensor].nbytes == transfer.offset:
            transfer.tensor, transfer.offset = transfer.tensor + 1, 0
        tensor = transfer.tensors[transfer.tensor]
        expected = (transfer.tensor, transfer.offset)
        if (chunk.tensor, chunk.offset) != expected or not 0 < len(piece) <= tensor.nbytes - transfer.offset:
            del self._open[chunk.transfer]
            raise WireError("chunk", f"{len(piece)} bytes at {chunk.tensor}:{chunk.offset}, expected {expected}")
        buffer_of(tensor)[transfer.offset:transfer.offset + len(piece)] = piece
        transfer.offset += len(piece)
        transfer.left -= len(piece)
        transfer.moved_ns = now
        if transfer.left:
            return None
        del self._open[chunk.transfer]
        return Complete(transfer.envelope, [checked(t) for t in transfer.tensors], transfer.begun_ns)

    def on_end(self, transfer: int) -> None:
        """The peer stopped this transfer before its end."""
        self._open.pop(transfer, None)

    def drop_stale(self, now: int) -> list[int]:
        """Drop transfers that made no progress for too long. Returns their ids."""
        stale = [key for key, t in self._open.items()
                 if now - t.moved_ns >= (AFTER_LOSS_NS if self._lost_ns > t.moved_ns else IDLE_NS)]
        for key in stale:
            del self._open[key]
        return stale

    def statistics(self) -> ReceiverStatistics:
        return ReceiverStatistics(len(self._open), self.open_bytes)

    @property
    def open_bytes(self) -> int:
        """Bytes allocated for open transfers."""
        return sum(t.nbytes for transfer in self._open.values() for t in transfer.tensors)
