"""Both sides of `swarm bench lanes`: `python -m swarm.bench.lanes.sides sender|answerer ADDRESS`.

The sender's urgent messages are due at a fixed rate, alone or beside a stream of tensors that fills the bulk lane. A
round trip counts from its due time. The answerer answers each message and counts the tensors of the stream.
"""

from __future__ import annotations

import sys

import msgspec
import numpy as np

from swarm.bench.support import peer
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member, Shared
from swarm.core.units import ns, seconds

URGENT, BULK, OVER = "urgent", "bulk", "over"        # topics; `over`: end of the phase
URGENT_BYTES = 1 << 10
TENSOR_BYTES = 4 << 20
PERIOD_NS = ns(0.02)                                 # 50 Hz: 1 % of a link of 50 Mbit/s
AGAIN_NS = ns(0.001)                                 # retry after a refusal of `send`


class Phase(msgspec.Struct, frozen=True):
    """To the sender: run a phase with this many urgent messages, beside the stream or alone."""

    urgent: int
    bulk: bool


class Trips(msgspec.Struct, frozen=True):
    """From the sender at the end of a phase: the round trips of the urgent messages."""

    took_us: list[float]


class ReportArrivals(msgspec.Struct, frozen=True):
    """To the answerer: report the arrivals of the last phase."""


class Arrivals(msgspec.Struct, frozen=True):
    """From the answerer: number of tensors after the first one of the phase, and seconds from the first to the last."""

    tensors: int
    seconds: float


class Sender:
    """Runs phases as its parent orders them."""

    def __init__(self, address: str) -> None:
        self._side = peer.Peer("sender", self._answered, bind=address)
        self._loop, self._net = self._side.loop, self._side.net
        self._padding = bytes(URGENT_BYTES - 8)
        self._tensor = [np.zeros(TENSOR_BYTES, np.uint8)]
        self._phase = Phase(0, False)
        self._due_ns: list[int] = []                 # due times of the urgent messages, by sequence
        self._took_us: list[float] = []
        self._streaming = False
        self._in_flight = 0                          # tensors without an answer yet

    def run(self) -> None:
        peer.send_to_parent(self._net.member)
        self._side.meet(peer.receive_from_parent(Member))
        peer.handle_orders(self._loop, Phase, self._begin)
        self._loop.run()

    def _begin(self, phase: Phase) -> None:
        self._phase, self._due_ns, self._took_us, self._streaming = phase, [], [], phase.bulk
        if phase.bulk:
            self._stream()                           # the first answer to a tensor starts the urgent messages
        else:
            self._fall_due(self._side.clock.now_ns())

    def _stream(self) -> None:
        """Send tensors as fast as the endpoint accepts them."""
        while self._streaming:
            if not self._net.send("answerer", Shared(topic=BULK, data=b""), self._tensor):
                self._loop.after(AGAIN_NS, self._stream)
                return
            self._in_flight += 1

    def _fall_due(self, due_ns: int) -> None:
        self._send_urgent(len(self._due_ns))
        self._due_ns.append(due_ns)
        if len(self._due_ns) < self._phase.urgent:
            self._loop.at(due_ns + PERIOD_NS, lambda: self._fall_due(due_ns + PERIOD_NS))

    def _send_urgent(self, sequence: int) -> None:
        if not self._net.send("answerer", Shared(topic=URGENT, data=sequence.to_bytes(8, "big") + self._padding)):
            self._loop.after(AGAIN_NS, lambda: self._send_urgent(sequence))

    def _answered(self, message: Received) -> None:
        body = message.body
        if not isinstance(body, Shared):
            raise TypeError(f"{body} is not an answer")
        if body.topic == URGENT:
            sequence = int.from_bytes(body.data, "big")
            self._took_us.append((self._side.clock.now_ns() - self._due_ns[sequence]) / 1e3)
            if self._streaming and len(self._took_us) == self._phase.urgent:
                self._streaming = False
                self._side.answer("answerer", Shared(topic=OVER, data=b""))
        else:
            self._in_flight -= 1
            if self._streaming and not self._due_ns:
                self._fall_due(self._side.clock.now_ns())
        if len(self._took_us) == self._phase.urgent and not self._in_flight:
            peer.send_to_parent(Trips(self._took_us))


class Answerer:
    """Answers all messages, and counts the tensors of a phase until its end."""

    def __init__(self, address: str) -> None:
        self._side = peer.Peer("answerer", self._received, bind=address)
        self._at_ns: list[int] = []                  # arrival times of complete tensors
        self._over = False

    def run(self) -> None:
        peer.send_to_parent(self._side.net.member)
        self._side.meet(peer.receive_from_parent(Member))
        peer.handle_orders(self._side.loop, ReportArrivals, self._report)
        self._side.loop.run()

    def _received(self, message: Received) -> None:
        body = message.body
        if not isinstance(body, Shared):
            raise TypeError(f"{body} is not a message of this bench")
        if body.topic == OVER:
            self._over = True
            return
        if body.topic == BULK and not self._over:
            self._at_ns.append(message.at_ns)
        self._side.answer(message.sender, Shared(topic=body.topic, data=body.data[:8]))

    def _report(self, _: ReportArrivals) -> None:
        peer.send_to_parent(Arrivals(len(self._at_ns) - 1, seconds(self._at_ns[-1] - self._at_ns[0])))
        self._at_ns, self._over = [], False


if __name__ == "__main__":
    {"sender": Sender, "answerer": Answerer}[sys.argv[1]](sys.argv[2]).run()
