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
TURN = 100                           # small messages between two turns of the loop
TENSOR_EVERY_NS = ns(0.002)
AGAIN_NS = ns(0.001)                 # retry after a refusal
SETTLE_NS = ns(0.3)                  # time for accepted messages to show in the memory


class Offer(msgspec.Struct, frozen=True):
    """To the sender: pass this many messages to the endpoint; `insist`: repeat each until it is accepted."""

    messages: int
    tensor_bytes: int                # 0: small messages without a tensor
    insist: bool


class Offered(msgspec.Struct, frozen=True):
    """From the sender: how many messages the endpoint accepted."""

    taken: int


class Read(msgspec.Struct, frozen=True):
    """To the reader: report when this many messages have arrived."""

    messages: int


class Done(msgspec.Struct, frozen=True):
    """From each side: it is connected. From the reader, also: all messages have arrived."""


class Sender:
    """Sends the ordered messages, alternating with its loop."""

    def __init__(self) -> None:
        self._side = peer.Peer("sender", lambda _: None)
        self._loop = self._side.loop
        self._taken = self._left = 0

    def run(self) -> None:
        peer.send_to_parent(self._side.net.member)
        self._side.meet(peer.receive_from_parent(Member))
        peer.send_to_parent(Done())
        peer.handle_orders(self._loop, Offer, self._begin)
        self._loop.run()

    def _begin(self, offer: Offer) -> None:
        self._taken, self._left = 0, offer.messages
        self._send_more(offer)

    def _send_more(self, offer: Offer) -> None:
        for _ in range(min(self._left, 1 if offer.tensor_bytes else TURN)):
            # A new array each time, so that arrays kept by the endpoint are measured.
            tensors = [np.full(offer.tensor_bytes, self._left % 256, np.uint8)] if offer.tensor_bytes else []
            taken = self._side.net.send("receiver", SMALL, tensors)
            self._taken += taken
            if offer.insist and not taken:
                self._loop.after(AGAIN_NS, lambda: self._send_more(offer))
                return
            self._left -= 1
        if not self._left:
            self._loop.after(SETTLE_NS, lambda: peer.send_to_parent(Offered(self._taken)))
        elif offer.tensor_bytes:
            self._loop.after(TENSOR_EVERY_NS, lambda: self._send_more(offer))
        else:
            self._loop.post(lambda: self._send_more(offer))


class Receiver:
    """Reads and counts messages; or stalls after connecting, like a process that hangs: its loop stops."""

    def __init__(self) -> None:
        self._side = peer.Peer("receiver", self._received)
        self._arrived, self._wanted = 0, -1

    def run(self, stalled: bool) -> None:
        peer.send_to_parent(self._side.net.member)
        self._side.meet(peer.receive_from_parent(Member))
        peer.send_to_parent(Done())
        if stalled:
            peer.end_with_parent()
            threading.Event().wait()
        peer.handle_orders(self._side.loop, Read, self._read)
        self._side.loop.run()

    def _read(self, order: Read) -> None:
        self._wanted = order.messages
        self._check()

    def _received(self, message: Received) -> None:
        self._arrived += 1
        self._check()

    def _check(self) -> None:
        if self._arrived == self._wanted:
            peer.send_to_parent(Done())


if __name__ == "__main__":
    if sys.argv[1] == "sender":
        Sender().run()
    else:
        Receiver().run(stalled=sys.argv[1] == "stalled")
