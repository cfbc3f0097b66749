"""Peers that lie or begin anew, over real sockets: each has its answer, and it is counted."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from swarm.core.protocol.messages import Chunk, Credit, Drain, Happened, Scene, Start, TransferEnded, TransferRefused
from swarm.core.protocol.wire import MAX_HEADER_BYTES, MAX_TENSORS, PROTOCOL, Receipt, TensorHeader, header
from swarm.transport.bulk.receiver import MOST_TRANSFERS
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.net.raw import RawPeer

MIB = 1 << 20
BYTES = np.arange(100, dtype=np.uint8)
AS_HEADER = TensorHeader("uint8", [100])


def open_bytes(of: Endpoint, sender: str = "raw") -> int:
    receiver = of.statistics().receivers.get(sender)
    return receiver.bytes if receiver else 0


def still_serves(net: Net, b: Endpoint) -> None:
    """A well-behaved peer is heard on both lanes."""
    a = net.endpoint("a")
    a.join([b.member])
    b.join([a.member])
    net.until(lambda: a.send("b", Drain()))
    net.until(lambda: a.send("b", Drain(), [np.full(200_000, 7, np.uint8)]))

    def heard() -> list[int]:
        return sorted(sum(t.nbytes for t in m.tensors) for m in net.got["b"] if m.sender == "a")

    net.until(lambda: heard() == [0, 200_000])


# --- headers that lie ---

SEVENTEEN = [TensorHeader("uint8", [1])] * (MAX_TENSORS + 1)
LIES: dict[str, tuple[str, dict[str, Any], list[bytes]]] = {
    "a shape that is not that of the bytes": ("tensor", {"tensors": [TensorHeader("uint8", [101])]}, [bytes(100)]),
    "an element type that is not": ("tensor", {"tensors": [TensorHeader("float32", [100])]}, [bytes(100)]),
    "an element type that does not travel": ("tensor", {"tensors": [TensorHeader("object", [100])]}, [bytes(100)]),
    "a negative length": ("tensor", {"tensors": [TensorHeader("uint8", [-1])]}, [b""]),
    "lengths that overflow": ("tensor", {"tensors": [TensorHeader("uint8", [2**32, 2**32, 0])]}, [b""]),
    "more than may come": ("tensor", {"tensors": [TensorHeader("uint8", [65 << 20])]}, [bytes(100)]),
    "more in all than may come": ("tensor", {"tensors": [TensorHeader("uint8", [33 << 20])] * 2}, [bytes(9), b""]),
    "too many tensors": ("tensor", {"tensors": SEVENTEEN}, [b"1"] * (MAX_TENSORS + 1)),
    "a tensor that did not come": ("tensor", {"tensors": [AS_HEADER] * 2}, [bytes(100)]),
    "a tensor that was not announced": ("tensor", {}, [bytes(100)]),
    "a bool that is neither": ("tensor", {"tensors": [TensorHeader("bool", [2])]}, [b"\1\2"]),
    "tensors in the header and beside it": ("tensor", {"tensors": [AS_HEADER], "inline": [bytes(100)]}, [bytes(100)]),
    "a transfer that came at once": ("tensor", {"tensors": [AS_HEADER], "transfer": 5}, [bytes(100)]),
    "another swarm": ("swarm", {"swarm": "t"}, []),
    "another sender": ("sender", {"sender": "a"}, []),
    "another protocol": ("version", {"v": PROTOCOL + 1}, []),
}


@pytest.mark.parametrize("lane", ["urgent", "bulk"])
@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_and_counted(net: Net, b: Endpoint, raw: RawPeer, lie: str, lane: str) -> None:
    cause, fields, frames = LIES[lie]
    for _ in range(2):
        raw.frames(lane, [header(raw.envelope(Drain(), **fields)), *frames])
    net.until(lambda: b.statistics().refused == {cause: 2})
    assert net.got["b"] == []
    raw.say(lane, Happened(what="the truth"))                # one who lied is heard again when it does not
    net.until(lambda: [m.body for m in net.got["b"]] == [Happened(what="the truth")])


@pytest.mark.parametrize("lane", ["urgent", "bulk"])
@pytest.mark.parametrize("receipt", [Receipt(7, 0.0, 0), Receipt(0, 0.0, 3)])
def test_a_receipt_for_what_was_never_sent_is_counted_and_its_message_heard(
    net: Net, b: Endpoint, raw: RawPeer, receipt: Receipt, lane: str
) -> None:
    raw.frames(lane, [header(raw.envelope(Drain(), receipt=receipt))])
    net.until(lambda: [m.body for m in net.got["b"]] == [Drain()])
    assert b.statistics().refused == {"receipt": 1}


@pytest.mark.parametrize(("fields", "cause"), [
    ({"budget_s": float("nan")}, "header"), ({"budget_s": -1.0}, "header"), ({"number": -1}, "header"),
    ({"number": 2**63}, "header"), ({"transfer": "1"}, "header"), ({"receipt": [1]}, "header"),
    ({"receipt": [-1, 0.0, 0]}, "header"), ({"tensors": [["uint8", ["x"]]]}, "header"), ({"boot": None}, "header"),
    ({"body": {"kind": "chunk"}}, "header"), ({"body": {}}, "header"), ({"v": "1"}, "header"),
])
def test_fields_that_are_none_are_refused_and_counted(
    net: Net, b: Endpoint, raw: RawPeer, fields: dict[str, Any], cause: str
) -> None:
    plain = msgpack.unpackb(header(raw.envelope(Drain())))
    raw.frames("urgent", [msgpack.packb(plain | fields)])
    net.until(lambda: b.statistics().refused == {cause: 1})
    assert net.got["b"] == []


def test_a_header_beyond_its_limit_is_refused_and_a_frame_beyond_its_limit_cuts_the_connection(
    net: Net, b: Endpoint, raw: RawPeer
) -> None:
    raw.frames("bulk", [bytes(MAX_HEADER_BYTES + 1)])
    net.until(lambda: b.statistics().refused == {"header": 1})
    raw.say("bulk", Drain(), np.zeros(9 * MIB, np.uint8))    # ZeroMQ itself will not take it
    raw.say("urgent", Scene(json=bytes(65_000)))
    raw.say("urgent", Scene(json=bytes(66_000)))
    net.until(lambda: len(net.got["b"]) == 1)
    still_serves(net, b)
    assert not any(m.tensors for m in net.got["b"] if m.sender == "raw")


# --- transfers that are none ---


def refused(net: Net, b: Endpoint, raw: RawPeer, transfer: int, cause: str) -> None:
    """It is counted, and the peer is told."""
    heard: list[Any] = []
    net.until(lambda: bool(heard.extend(e.body for e in raw.heard()) or [e for e in heard if e != Credit()]))
    assert [e for e in heard if e != Credit()] == [TransferRefused(transfer=transfer, reason=cause)]
    assert b.statistics().refused == {cause: 1}
    assert net.got["b"] == []


def test_a_chunk_of_no_transfer(net: Net, b: Endpoint, raw: RawPeer) -> None:
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=1)
    refused(net, b, raw, 9, "chunk")
    still_serves(net, b)


@pytest.mark.parametrize("tensors", [
    [], [BYTES, BYTES], [BYTES.astype(np.float32)], [BYTES[:0]], [np.zeros(101, np.uint8)],
], ids=["none", "two", "floats", "empty", "too long"])
def test_a_chunk_with_other_than_a_piece_of_its_tensor(
    net: Net, b: Endpoint, raw: RawPeer, tensors: list[np.ndarray]
) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[AS_HEADER])
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), *tensors, number=2)
    refused(net, b, raw, 9, "chunk")


@pytest.mark.parametrize(("tensor", "offset"), [(0, 0), (0, 60), (1, 0), (2**62, 2**62)])
def test_a_chunk_that_is_doubled_or_missing_or_elsewhere(
    net: Net, b: Endpoint, raw: RawPeer, tensor: int, offset: int
) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[AS_HEADER, AS_HEADER])
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES[:50], number=2)
    net.until(lambda: open_bytes(b) == 200)
    raw.say("bulk", Chunk(transfer=9, tensor=tensor, offset=offset), BYTES[:50], number=3)
    refused(net, b, raw, 9, "chunk")
    assert open_bytes(b) == 0


def test_a_transfer_of_nothing(net: Net, b: Endpoint, raw: RawPeer) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9)
    refused(net, b, raw, 9, "transfer")


def test_more_transfers_than_may_be_open(net: Net, b: Endpoint, raw: RawPeer) -> None:
    for i in range(MOST_TRANSFERS + 1):
        raw.say("bulk", Drain(), number=1 + i, transfer=1 + i, tensors=[AS_HEADER])
    refused(net, b, raw, MOST_TRANSFERS + 1, "transfer")
    raw.say("bulk", TransferEnded(transfer=2))
    raw.say("bulk", Drain(), number=9, transfer=9, tensors=[AS_HEADER])
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=10)
    net.until(lambda: len(net.got["b"]) == 1)


def test_a_bool_that_is_neither_in_a_transfer(net: Net, b: Endpoint, raw: RawPeer) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[TensorHeader("bool", [100])])
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=2)
    refused(net, b, raw, 9, "tensor")


def test_numbers_that_are_doubled(net: Net, b: Endpoint, raw: RawPeer) -> None:
    for number in (5, 5, 4, 6):
        raw.say("bulk", Happened(what=str(number)), number=number)
    net.until(lambda: len(net.got["b"]) == 2 and b.statistics().refused == {"number": 2})
    assert [m.body for m in net.got["b"]] == [Happened(what="5"), Happened(what="6")]


def test_words_about_transfers_that_are_none(net: Net, b: Endpoint, raw: RawPeer) -> None:
    """They end nothing, not even what waits without having begun."""
    load = [np.zeros(60_000, np.uint8)]
    for _ in range(3):
        assert b.send("raw", Drain(), load)
    for transfer in (0, 1, 2**62):
        raw.say("urgent", TransferRefused(transfer=transfer, reason=""))
        raw.say("urgent", TransferEnded(transfer=transfer))
    raw.say("urgent", Start())
    net.until(lambda: len(net.got["b"]) == 1)
    queue = b.statistics().queues["raw"]
    assert (queue.waiting, queue.dropped) == (2, {})
    assert b.statistics().refused == {}


def test_a_refused_transfer_is_told_of_once(net: Net, b: Endpoint, raw: RawPeer) -> None:
    told: list[Any] = []
    b._bulk._undelivered = lambda *what: told.append(what)
    assert b.send("raw", Drain(), [np.zeros(MIB, np.uint8)], tag="mine")
    heard: list[Any] = []
    net.until(lambda: bool(heard.extend(raw.heard()) or [e for e in heard if e.transfer]))
    transfer = next(e.transfer for e in heard if e.transfer)
    for _ in range(3):
        raw.say("urgent", TransferRefused(transfer=transfer, reason="no room"))
    net.until(lambda: bool(told))
    net.until(lambda: bool(heard.extend(raw.heard()) or [e for e in heard if isinstance(e.body, TransferEnded)]))
    assert told == [("raw", "mine", "refused")]
    assert b.statistics().undelivered == 1


# --- peers that begin anew or leave ---


def test_a_peer_that_is_reborn_in_the_middle_of_a_transfer_begins_anew(net: Net, b: Endpoint, raw: RawPeer) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[TensorHeader("uint8", [MIB])])
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=2)
    net.until(lambda: open_bytes(b) == MIB)
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[AS_HEADER], boot=2)
    net.until(lambda: open_bytes(b) == 100)
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=2, boot=2)
    net.until(lambda: len(net.got["b"]) == 1)
    (came,) = net.got["b"]
    assert (came.boot, came.tensors[0].tobytes()) == (2, BYTES.tobytes())
    assert b.statistics().refused == {}
    assert open_bytes(b) == 0


def test_what_a_peer_has_begun_is_freed_when_it_leaves(net: Net, b: Endpoint, raw: RawPeer) -> None:
    raw.say("bulk", Drain(), number=1, transfer=9, tensors=[TensorHeader("uint8", [64 << 20])])
    net.until(lambda: open_bytes(b) == 64 << 20)
    b.leave("raw")
    assert open_bytes(b) == 0
    raw.say("bulk", Chunk(transfer=9, tensor=0, offset=0), BYTES, number=2)
    net.until(lambda: b.statistics().refused == {"stranger": 1})       # there is nobody to tell
