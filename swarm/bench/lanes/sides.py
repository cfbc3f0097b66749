"""Both sides of `swarm bench lanes`: `python -m swarm.bench.lanes.sides sender|answerer ADDRESS`.

The sender's urgent messages fall due at a fixed rate, alone or beside a stream of tensors that fills the bulk lane; a
round trip counts from when it was due. The answerer answers each message and measures what the stream brings.
"""

from __future__ import annotations

import sys

import msgspec
import numpy as np

from swarm.bench.support import peer
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member, Shared
from swarm.core.units import ns, seconds

URGENT, BULK, OVER = "urgent", "bulk", "over"        # topics; over: the phase is
URGENT_BYTES = 1 << 10
TENSOR_BYTES = 4 << 20
PERIOD_NS = ns(0.02)                                 # 50 Hz: 1 % of a link of 50 Mbit/s
AGAIN_NS = ns(0.001)                                 # after a refusal of `send`


class Phase(msgspec.Struct, frozen=True):
    """To the sender: so many urgent messages, beside the stream or alone."""

    urgent: int
    bulk: bool


class Trips(msgspec.Struct, frozen=True):
    """From the sender, when all is answered: the round trips of the urgent messages."""

    took_us: list[float]


class Came(msgspec.Struct, frozen=True):
    """To the answerer: what came in the phase that is over?"""


class Arrivals(msgspec.Struct, frozen=True):
    """From the answerer: tensors after the first one of the phase, and the seconds from that one to the last."""

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
        self._due_ns: list[int] = []                 # of the urgent messages, by sequence
        self._took_us: list[float] = []
        self._streaming = False
        self._under_way = 0                          # tensors that were sent and not answered

    def run(self) -> None:
        peer.say(self._net.member)
        self._side.meet(peer.order(Member))
        peer.follow(self._loop, Phase, self._begin)
        self._loop.run()

    def _begin(self, phase: Phase) -> None:
        self._phase, self._due_ns, self._took_us, self._streaming = phase, [], [], phase.bulk
        if phase.bulk:
            self._stream()                           # the urgent messages begin when a first tensor has come
        else:
            self._fall_due(self._side.clock.now_ns())

    def _stream(self) -> None:
        """As fast as the endpoint takes it."""
        while self._streaming:
            if not self._net.send("answerer", Shared(topic=BULK, data=b""), self._tensor):
                self._loop.after(AGAIN_NS, self._stream)
                return
            self._under_way += 1

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
            raise TypeError(f"{body} answers nothing")
        if body.topic == URGENT:
            sequence = int.from_bytes(body.data, "big")
            self._took_us.append((self._side.clock.now_ns() - self._due_ns[sequence]) / 1e3)
            if self._streaming and len(self._took_us) == self._phase.urgent:
                self._streaming = False
                self._side.answer("answerer", Shared(topic=OVER, data=b""))
        else:
            self._under_way -= 1
            if self._streaming and not self._due_ns:
                self._fall_due(self._side.clock.now_ns())
        if len(self._took_us) == self._phase.urgent and not self._under_way:
            peer.say(Trips(self._took_us))


class Answerer:
    """Answers all, and counts the tensors of a phase until it is over."""

    def __init__(self, address: str) -> None:
        self._side = peer.Peer("answerer", self._received, bind=address)
        self._at_ns: list[int] = []                  # when tensors came whole
        self._over = False

    def run(self) -> None:
        peer.say(self._side.net.member)
        self._side.meet(peer.order(Member))
        peer.follow(self._side.loop, Came, self._tell)
        self._side.loop.run()

    def _received(self, message: Received) -> None:
        body = message.body
        if not isinstance(body, Shared):
            raise TypeError(f"{body} is not of this bench")
        if body.topic == OVER:
            self._over = True
            return
        if body.topic == BULK and not self._over:
            self._at_ns.append(message.at_ns)
        self._side.answer(message.sender, Shared(topic=body.topic, data=body.data[:8]))

    def _tell(self, _: Came) -> None:
        peer.say(Arrivals(len(self._at_ns) - 1, seconds(self._at_ns[-1] - self._at_ns[0])))
        self._at_ns, self._over = [], False


if __name__ == "__main__":
    {"sender": Sender, "answerer": Answerer}[sys.argv[1]](sys.argv[2]).run()
