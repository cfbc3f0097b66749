"""A live endpoint under fire: mutated messages, and well-formed ones that make no sense together."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.wire import MAX_TENSOR_BYTES, Receipt, TensorHeader, buffer_of, header
from swarm.net.lanes import open_endpoint
from swarm.net.sockets import FRAME_BYTES
from swarm.transport.bulk.receiver import MOST_TRANSFERS
from swarm.transport.endpoint import Endpoint
from swarm.transport.ports import LANES
from tests.core.mutate import Frames, Mutator, seeds
from tests.core.peak import growth_bytes
from tests.net.harness import Net
from tests.net.raw import RawPeer

MUTATED = 10_000                     # and as many that make no sense
MESSAGES, BATCH = 2 * MUTATED, 250
GROWTH_BYTES = 64 << 20              # of the process, with what the peer itself has in its queues
MIB = 1 << 20
SIZES = (0, 1, 10, 50, 100, 9_000, 70_000)
CAUSES = {"header", "version", "tensor", "swarm", "sender", "number", "chunk", "transfer", "receipt"}


class Nonsense:
    """Transfers, chunks, receipts and numbers, each right in itself, that do not always fit those before."""

    def __init__(self, peer: RawPeer, seed: int) -> None:
        self._peer, self._rng, self._number, self._boot = peer, random.Random(seed), 0, 1
        self._left: dict[int, list[int]] = {}            # transfer -> sizes of the tensors that would have to follow

    def next(self) -> Frames:
        rng = self._rng
        self._number = max(0, self._number + rng.choice((1,) * 12 + (0, 5, -3)))
        self._boot = rng.choice((1, 2)) if rng.random() < 0.01 else self._boot
        fields: dict[str, Any] = {"number": self._number, "boot": self._boot}
        if rng.random() < 0.1:
            fields["receipt"] = Receipt(rng.choice((0, 1, 5, 50, 2**62)), rng.choice((0.0, 0.001, 1e7)),
                                        rng.choice((0, 0, 1, 2**62)))
        transfer = rng.choice((*self._left, 0, 1, 2, 3, 4, 5, 2**62))
        match rng.randrange(8):
            case 0:
                return self._announces(transfer, fields)
            case 1:
                body = rng.choice((msg.TransferEnded(transfer=transfer),
                                   msg.TransferRefused(transfer=transfer, reason="x"), msg.Credit()))
                return [header(self._peer.envelope(body, **fields))]
            case 2:
                return [header(self._peer.envelope(msg.Drain(), **fields))]
            case _:
                return self._chunk(transfer, fields)

    def _announces(self, transfer: int, fields: dict[str, Any]) -> Frames:
        sizes = [self._rng.choice((*SIZES, *SIZES, MAX_TENSOR_BYTES)) for _ in range(self._rng.randint(1, 3))]
        self._left[transfer] = sizes
        shapes = [TensorHeader("uint8", [size]) for size in sizes]
        return [header(self._peer.envelope(msg.Drain(), **fields, transfer=transfer, tensors=shapes))]

    def _chunk(self, transfer: int, fields: dict[str, Any]) -> Frames:
        """Two in three are the whole of the tensor that would have to follow."""
        rng, sizes = self._rng, self._left.get(transfer, [])
        tensor, offset, size = rng.choice((0, 0, 1, 2**62)), rng.choice((0, 0, 10, 2**62)), rng.choice(SIZES)
        following = next((i for i, left in enumerate(sizes) if left), None)
        if following is not None and rng.random() < 0.67:
            tensor, offset, size = following, 0, min(sizes[following], 70_000)
            sizes[following] = 0
        if not any(sizes):
            self._left.pop(transfer, None)
        piece = np.ones(size, np.uint8)
        chunk = msg.Chunk(transfer=transfer, tensor=tensor, offset=offset)
        return [header(self._peer.envelope(chunk, piece, **fields)), bytes(buffer_of(piece))]


def shots(peer: RawPeer) -> Iterator[tuple[str, Frames]]:
    """Lane and frames. Every other one is a mutated message on either lane, the others are nonsense in order."""
    mutator, nonsense = Mutator(seeds(), 11), Nonsense(peer, 12)
    while True:
        yield "bulk", nonsense.next()
        frames = mutator.next()                  # what is larger would cut the connection
        yield mutator.rng.choice(LANES) if max(map(len, frames)) <= FRAME_BYTES["urgent"] else "bulk", frames


def test_whatever_a_peer_sends_the_endpoint_serves_on_in_bounded_memory() -> None:
    grew_bytes, _ = growth_bytes(under_fire)
    assert grew_bytes < GROWTH_BYTES


def under_fire() -> None:
    """An endpoint takes all shots, and serves a well-behaved peer then."""
    net = Net()
    told: list[tuple[str, Hashable, str]] = []
    taken: list[Received] = []
    b = open_endpoint(net.loop, swarm="s", name="b", role="agent", boot=1, handler=taken.append,
                 undelivered=lambda *what: told.append(what))
    net.endpoints.append(b)
    raw = RawPeer(b, "a")
    b.join([raw.member])
    net.until(lambda: b.send("a", msg.Start()))
    rng, tags, whole = random.Random(13), 0, 0
    fire = shots(raw)
    for sent in range(BATCH, MESSAGES + 1, BATCH):
        for _ in range(BATCH):
            raw.frames(*next(fire))
        tags += b.send("a", msg.Drain(), [np.zeros(MIB, np.uint8)], budget_s=rng.choice((None, 0.02)), tag=sent)
        net.until(lambda sent=sent: sum(lane.received for lane in b.statistics().lanes.values()) == sent)
        raw.heard()
        whole += sum(m.at_ns > m.begun_ns for m in taken)
        taken.clear()
        open_bytes = sum(i.open_bytes for i in b._bulk._incoming.values())
        assert open_bytes <= MAX_TENSOR_BYTES
        assert all(len(i._open) <= MOST_TRANSFERS for i in b._bulk._incoming.values())
    refused = b.statistics().refused
    assert refused.keys() == CAUSES
    assert min(refused.values()) >= 5
    assert whole > 50                                        # transfers that made sense by chance
    assert MESSAGES * 0.5 < sum(refused.values()) < MESSAGES
    assert len({tag for _, tag, _ in told}) == len(told) <= tags
    assert len(b._bulk._incoming) == 1                       # nobody else was heard
    raw.close()
    serves(net, b, taken)
    net.close()


def serves(net: Net, b: Endpoint, taken: list[Received]) -> None:
    """A well-behaved peer is heard on both lanes, and hears."""
    c = net.endpoint("c")
    c.join([b.member])
    b.join([c.member])
    tensor = np.arange(300_000, dtype=np.float32)
    net.until(lambda: c.send("b", msg.Start()))
    net.until(lambda: c.send("b", msg.Drain(), [tensor]))
    net.until(lambda: len(taken) == 2)
    (came,) = (m for m in taken if m.tensors)
    assert np.array_equal(came.tensors[0], tensor)
    net.until(lambda: b.send("c", msg.Start(), [tensor]))
    net.until(lambda: len(net.got["c"]) == 1)
