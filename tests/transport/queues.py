"""One peer's bulk queue on a link of a known rate, and short words for what tests do with it."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.messages import Start
from swarm.core.protocol.wire import Receipt
from swarm.transport.bulk.sender import Outgoing
from swarm.transport.bulk.steps import QueuedMessage, SendChunk, Step

KIB, MIB = 1 << 10, 1 << 20


def measured(bytes_per_s: float) -> LinkEstimator:
    link = LinkEstimator()
    link.delivered(1000, 1000 / bytes_per_s)
    return link


class Fixed(LinkEstimator):
    """A link of a known rate, whatever the receipts of a test say of it."""

    def __init__(self, bytes_per_s: float) -> None:
        super().__init__()
        super().delivered(1000, 1000 / bytes_per_s)

    def delivered(self, size_bytes: int, took_s: float) -> None:
        """Known already."""

    def clear_trip(self, rtt_s: float, size_bytes: int = 0) -> None:
        """Known already."""


def queue(bytes_per_s: float) -> Outgoing:
    """A queue to a peer on a link of this rate."""
    return Outgoing(Fixed(bytes_per_s))


def queued(*sizes: int, due: int | None = None, tag: Hashable = None, head_bytes: int = 0) -> QueuedMessage:
    return QueuedMessage(Start(), [np.zeros(n, np.uint8) for n in sizes], due, tag, head_bytes)


def put(out: Outgoing, *messages: QueuedMessage) -> None:
    taken = [out.put(p) for p in messages]
    assert all(taken)


def next_steps(out: Outgoing, now: int = 0) -> list[Step]:
    return list(out.next_steps(now))


def told(out: Outgoing, number: int, now: int = 0, held_s: float = 0.0, lost: int = 0) -> None:
    out.window.on_receipt(Receipt(number, held_s, lost), now)


def pieces(steps: list[Step], of: QueuedMessage) -> list[tuple[int, int, int]]:
    return [(s.tensor, s.offset, s.end) for s in steps if isinstance(s, SendChunk) and s.queued is of]


def drain(out: Outgoing, now: int = 0) -> list[Step]:
    """All that goes when every message is receipted at once."""
    steps = next_steps(out, now)
    while out.statistics().waiting:
        told(out, out.window.number, now)
        steps += next_steps(out, now)
    return steps
