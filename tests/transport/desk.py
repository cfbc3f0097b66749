"""The bulk lane of a process in fake time, with a way to its peer that opens and closes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.messages import Body, Start
from swarm.core.protocol.wire import PROTOCOL, Envelope, TensorHeader
from swarm.core.units import ns, seconds
from swarm.net.loop import Loop
from swarm.transport.bulk.lane import Bulk
from tests.clock import FakeClock


class Sent(NamedTuple):
    to: str
    lane: str
    body: Body
    budget_s: float | None
    number: int
    transfer: int


class Desk:
    """A bulk lane with joined peer `b`, on a loop in fake time; `open` says whether messages can go."""

    def __init__(self) -> None:
        self.clock = FakeClock(ns(100.0))
        self.loop = Loop(self.clock)
        self.sent: list[Sent] = []
        self.refused: list[str] = []
        self.told: list[tuple[str, Hashable, str]] = []
        self.open = True
        self.bulk = Bulk(self.clock, self.loop, self.write, lambda error: self.refused.append(error.cause),
                         lambda *what: self.told.append(what))
        self.bulk.join("b", LinkEstimator())

    def write(
        self, to: str, lane: str, body: Body, tensors: Any = (), budget_s: float | None = None, number: int = 0,
        transfer: int = 0,
    ) -> bool:
        if self.open:
            self.sent.append(Sent(to, lane, body, budget_s, number, transfer))
            self.bulk.receipt_sent(to)
        return self.open

    def send(self, *sizes: int, due: int | None = None, tag: Hashable = None) -> bool:
        left_s = None if due is None else seconds(due - self.clock.now_ns())
        return self.bulk.send("b", Start(), [np.zeros(n, np.uint8) for n in sizes], sum(sizes), left_s, tag)

    def comes(self, body: Body = Start(), number: int = 0, sender: str = "b", size: int = 100, boot: int = 1,  # noqa: B008
              **fields: Any) -> Envelope:
        """A numbered message of a peer is taken, and what is owed for it seen to."""
        envelope = Envelope(v=PROTOCOL, swarm="s", sender=sender, boot=boot, body=body, number=number, **fields)
        if number:
            self.bulk.on_message(envelope, size, self.clock.now_ns())
            self.bulk.acknowledge(sender, at_once=False)
        return envelope

    def announces(self, *shape: int, transfer: int = 1, sender: str = "b") -> None:
        envelope = self.comes(sender=sender, transfer=transfer, tensors=[TensorHeader("uint8", list(shape))])
        self.bulk.on_announcement(envelope, self.clock.now_ns())

    def passes(self, seconds: float) -> None:
        """Time passes and the loop runs what is due, step by step."""
        for _ in range(max(1, round(seconds / 0.25))):
            self.clock.advance(min(seconds, 0.25))
            self.loop.post(self.loop._stop)
            self.loop.run()

    def bodies(self, lane: str = "urgent") -> list[Body]:
        return [sent.body for sent in self.sent if sent.lane == lane]
