"""Both sides of `swarm bench memory`: `python -m swarm.bench.memory.sides sender|reader|stalled`."""

from __future__ import annotations

import sys
import threading

import msgspec
import numpy as np

from swarm.bench.support import peer
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member, Shared
from swarm.core.units import ns

SMALL = Shared(topic="flood", data=bytes(64))
TURN = 100                           # small messages offered before the loop gets its turn
TENSOR_EVERY_NS = ns(0.002)
AGAIN_NS = ns(0.001)                 # after a refusal
SETTLE_NS = ns(0.3)                  # what was taken has this long to show in the memory


class Offer(msgspec.Struct, frozen=True):
    """To the sender: hand this many messages to the endpoint; `insist`: each again until it is taken."""

    messages: int
    tensor_bytes: int                # 0: small messages without a tensor
    insist: bool


class Offered(msgspec.Struct, frozen=True):
    """From the sender: how many of them the endpoint took."""

    taken: int


class Read(msgspec.Struct, frozen=True):
    """To the reader: say when you have had so many."""

    messages: int


class Done(msgspec.Struct, frozen=True):
    """From each side: it is connected; from the reader: it has had all."""


class Sender:
    """Offers what it is told to, in turn with its loop."""

    def __init__(self) -> None:
        self._side = peer.Peer("sender", lambda _: None)
        self._loop = self._side.loop
        self._taken = self._left = 0

    def run(self) -> None:
        peer.say(self._side.net.member)
        self._side.meet(peer.order(Member))
        peer.say(Done())
        peer.follow(self._loop, Offer, self._begin)
        self._loop.run()

    def _begin(self, offer: Offer) -> None:
        self._taken, self._left = 0, offer.messages
        self._go_on(offer)

    def _go_on(self, offer: Offer) -> None:
        for _ in range(min(self._left, 1 if offer.tensor_bytes else TURN)):
            # A new array each time: what the endpoint keeps of it counts.
            tensors = [np.full(offer.tensor_bytes, self._left % 256, np.uint8)] if offer.tensor_bytes else []
            taken = self._side.net.send("receiver", SMALL, tensors)
            self._taken += taken
            if offer.insist and not taken:
                self._loop.after(AGAIN_NS, lambda: self._go_on(offer))
                return
            self._left -= 1
        if not self._left:
            self._loop.after(SETTLE_NS, lambda: peer.say(Offered(self._taken)))
        elif offer.tensor_bytes:
            self._loop.after(TENSOR_EVERY_NS, lambda: self._go_on(offer))
        else:
            self._loop.post(lambda: self._go_on(offer))


class Receiver:
    """Reads and counts; or stalls once it is connected, as a process that hangs does: its loop runs no more."""

    def __init__(self) -> None:
        self._side = peer.Peer("receiver", self._received)
        self._had, self._wanted = 0, -1

    def run(self, stalled: bool) -> None:
        peer.say(self._side.net.member)
        self._side.meet(peer.order(Member))
        peer.say(Done())
        if stalled:
            peer.end_with_parent()
            threading.Event().wait()
        peer.follow(self._side.loop, Read, self._read)
        self._side.loop.run()

    def _read(self, order: Read) -> None:
        self._wanted = order.messages
        self._look()

    def _received(self, message: Received) -> None:
        self._had += 1
        self._look()

    def _look(self) -> None:
        if self._had == self._wanted:
            peer.say(Done())


if __name__ == "__main__":
    if sys.argv[1] == "sender":
        Sender().run()
    else:
        Receiver().run(stalled=sys.argv[1] == "stalled")
