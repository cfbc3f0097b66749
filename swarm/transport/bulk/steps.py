"""Messages that wait for the bulk lane to one peer, and the steps that send them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from swarm.core.protocol.messages import Body
from swarm.core.units import NEVER_NS


class QueuedMessage:
    """A message in the queue, and the progress of its transfer."""

    __slots__ = ("body", "deadline_ns", "head_bytes", "left", "offset", "order", "size", "tag", "tensor", "tensors",
                 "transfer")

    def __init__(
        self, body: Body, tensors: Sequence[NDArray[Any]], deadline_ns: int | None, tag: Hashable, head_bytes: int = 0
    ) -> None:
        """tensors: contiguous. deadline_ns: own clock; None: never late. head_bytes: size of the header, if large."""
        self.body, self.tensors, self.deadline_ns, self.tag = body, tensors, deadline_ns, tag
        self.head_bytes, self.left = head_bytes, sum(t.nbytes for t in tensors)
        self.size = head_bytes + self.left
        self.order = self.transfer = self.tensor = self.offset = 0

    @property
    def urgency(self) -> tuple[int, int]:
        """Sort key: earliest deadline first, then first queued."""
        return (NEVER_NS if self.deadline_ns is None else self.deadline_ns, self.order)

    def remembered(self) -> QueuedMessage:
        """A copy without its tensors, which may be large."""
        light = QueuedMessage(self.body, (), self.deadline_ns, self.tag)
        light.transfer = self.transfer
        return light


class SendWhole(NamedTuple):
    """Send header and all tensors; or, for a transfer, the header that announces it."""

    queued: QueuedMessage
    number: int


class SendChunk(NamedTuple):
    """Send bytes [offset, end) of one tensor."""

    queued: QueuedMessage
    number: int
    tensor: int
    offset: int
    end: int


class SendEnd(NamedTuple):
    """Tell the peer that a transfer ends here."""

    transfer: int


class Dropped(NamedTuple):
    """A message that will not arrive. reason: late | cancelled | refused | unreachable."""

    queued: QueuedMessage
    reason: str


Step = SendWhole | SendChunk | SendEnd | Dropped
