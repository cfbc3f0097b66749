"""A live endpoint under fire: mutated messages, and well-formed ones that make no sense together."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import psutil

from swarm.core import messages as msg
from swarm.core.clock import seconds
from swarm.core.wire import MAX_TENSOR_BYTES, Receipt, TensorHeader, buffer_of, header
from swarm.net.endpoint import Endpoint, Received
from swarm.net.incoming import MOST_TRANSFERS
from swarm.net.sockets import FRAME_BYTES, LANES
from tests.core.mutate import Frames, Mutator, seeds
from tests.net.harness import Net
from tests.net.raw import RawPeer

MESSAGES, BATCH = 20_000, 250
GROWTH_BYTES = 96 << 20              # of the process, with what the peer itself has in its queues
MIB = 1 << 20
SIZES = (0, 1, 10, 50, 100, 9_000, 70_000)
CAUSES = {"header", "version", "tensor", "swarm", "sender", "number", "chunk", "transfer", "receipt"}


class Nonsense:
    """Transfers, chunks, receipts and numbers, each right in itself, that seldom fit those before."""

    def __init__(self, peer: RawPeer, seed: int) -> None:
        self._peer, self._rng, self._number = peer, random.Random(seed), 0

    def next(self) -> Frames:
        rng = self._rng
        self._number += rng.choice((1, 1, 1, 1, 0, 5, -3))
        fields: dict[str, Any] = {"number": max(0, self._number), "boot": rng.choice((1, 1, 1, 1, 1, 1, 1, 2))}
        if rng.random() < 0.2:
            fields["receipt"] = Receipt(rng.choice((0, 1, 5, 50, 2**62)), rng.choice((0.0, 0.001, 1e7)),
                                        rng.choice((0, 0, 1, 2**62)))
        transfer = rng.choice((0, 1, 2, 3, 4, 5, 6, 2**62))
        match rng.randrange(6):
            case 0:
                shapes = [[rng.choice((*SIZES, MAX_TENSOR_BYTES))] for _ in range(rng.randint(1, 3))]
                fields |= {"transfer": transfer, "tensors": [TensorHeader("uint8", shape) for shape in shapes]}
                return [header(self._peer.envelope(msg.Drain(), **fields))]
            case 1 | 2 | 3:
                chunk = msg.Chunk(transfer=transfer, tensor=rng.choice((0, 0, 0, 1, 2**62)),
                                  offset=rng.choice((0, 0, 0, 10, 50, 2**62)))
                piece = np.ones(rng.choice(SIZES), np.uint8)
                return [header(self._peer.envelope(chunk, piece, **fields)), bytes(buffer_of(piece))]
            case 4:
                body = rng.choice((msg.TransferEnded(transfer=transfer),
                                   msg.TransferRefused(transfer=transfer, reason="x"), msg.Credit()))
                return [header(self._peer.envelope(body, **fields))]
            case _:
                return [header(self._peer.envelope(msg.Drain(), **fields))]


def shots(peer: RawPeer) -> Iterator[tuple[str, Frames]]:
    """Lane and frames. One in two is a mutated message on either lane, the others are nonsense in order."""
    mutator, nonsense = Mutator(seeds(), 11), Nonsense(peer, 12)
    while True:
        yield "bulk", nonsense.next()
        frames = mutator.next()
        if frames:                               # what is larger would cut the connection
            yield mutator.rng.choice(LANES) if max(map(len, frames)) <= FRAME_BYTES["urgent"] else "bulk", frames


def test_whatever_a_peer_sends_the_endpoint_serves_on_in_bounded_memory(net: Net) -> None:
    told: list[tuple[str, Hashable, str]] = []
    taken: list[Received] = []
    b = Endpoint(net.loop, swarm="s", name="b", role="agent", boot=1, handler=taken.append,
                 undelivered=lambda *what: told.append(what))
    net.endpoints.append(b)
    raw = RawPeer(b, "a")
    b.join([raw.member])
    net.until(lambda: b.send("a", msg.Start()))
    process, rng = psutil.Process(), random.Random(13)
    began, before, tags, whole, most = net.loop.clock.now_ns(), process.memory_info().rss, 0, 0, 0
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
        most = max(most, process.memory_info().rss - before)
    assert seconds(net.loop.clock.now_ns() - began) < 60.0
    assert most < GROWTH_BYTES
    refused = b.statistics().refused
    print(refused, whole, most>>20, len(told), tags, seconds(net.loop.clock.now_ns() - began))
    assert refused.keys() == CAUSES
    assert min(refused.values()) >= 5
    assert whole > 50                                        # transfers that made sense by chance
    assert MESSAGES * 0.5 < sum(refused.values()) < MESSAGES
    assert len({tag for _, tag, _ in told}) == len(told) <= tags
    assert len(b._bulk._incoming) == 1                       # nobody else was heard
    raw.close()
    serves(net, b, taken)


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
