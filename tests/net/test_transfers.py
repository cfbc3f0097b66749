"""Tensors between endpoints over real sockets: larger than the window, cancelled, across restarts, and told of."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pytest

from swarm.core.protocol.messages import Drain, Happened, Scene, Start
from swarm.core.protocol.wire import DTYPES, PROTOCOL, Envelope
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.patience import HANG_S

MIB = 1 << 20


def open_bytes(of: Endpoint, sender: str) -> int:
    receiver = of.statistics().receivers.get(sender)
    return receiver.bytes if receiver else 0


def test_tensors_larger_than_the_window_arrive_intact(net: Net) -> None:
    a, _ = net.pair()
    rng = np.random.default_rng(7)
    tensors = [rng.integers(0, 256, (3, 500_000), np.uint8).view(np.uint8), np.zeros((0, 7), np.float32),
               rng.standard_normal((300, 1000)).astype(np.float32), np.array(-5, np.int64),
               rng.random((1000, 100)) < 0.5, rng.integers(-99, 99, (2, 3, 4), np.int16).transpose(2, 0, 1)]
    assert a.send("b", Drain(), tensors, budget_s=HANG_S)
    net.until(lambda: len(net.got["b"]) == 1)
    (came,) = net.got["b"]
    assert len(came.tensors) == len(tensors)
    for there, here in zip(came.tensors, tensors, strict=True):
        assert (there.dtype, there.shape) == (here.dtype, here.shape)
        assert np.array_equal(there, here)
    assert came.begun_ns < came.at_ns
    assert came.budget_s is not None
    assert 0 < came.budget_s <= HANG_S
    net.until(lambda: a.statistics().queues["b"].in_flight_bytes == 0)
    assert a.statistics().queues["b"].lost == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_type_travels_in_chunks(net: Net, dtype: str) -> None:
    a, _ = net.pair()
    tensor = (np.arange(100_000) % 2).astype(dtype)
    assert a.send("b", Drain(), [tensor])
    net.until(lambda: len(net.got["b"]) == 1)
    assert net.got["b"][0].tensors[0].dtype == tensor.dtype
    assert np.array_equal(net.got["b"][0].tensors[0], tensor)


def test_an_answer_with_a_large_header_takes_the_receipt_along(net: Net) -> None:
    """It first tries the urgent lane; the receipt in that try must not be lost."""
    a, b = net.pair()
    assert a.send("b", Drain(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 1)
    assert "a" in b._bulk._incoming
    b._bulk.on_message(Envelope(v=PROTOCOL, swarm="s", sender="a", boot=1, body=Start(), number=2), 1, 0)
    assert b._bulk.receipt_for("a") is not None
    assert b.send("a", Scene(json=bytes(100_000)))
    assert b._bulk.receipt_for("a") is None
    assert b.statistics().queues["a"].in_flight_bytes > 100_000
    net.until(lambda: a.statistics().refused == {"receipt": 1})       # for number 2, which never was: so it came along


def test_a_transfer_that_is_cancelled_between_chunks_never_arrives_and_is_freed(net: Net) -> None:
    a, b = net.pair()
    assert a.send("b", Drain(), [np.ones(48 * MIB, np.uint8)], tag="large")
    net.until(lambda: open_bytes(b, "a") > 0)
    assert a.cancel("b", "large")
    net.until(lambda: open_bytes(b, "a") == 0)
    assert a.send("b", Start(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 1)
    assert net.got["b"][0].body == Start()
    assert b.statistics().refused == {}
    assert a.statistics().queues["b"].dropped == {"cancelled": 1}


def test_a_member_that_is_joined_anew_hears_bulk_at_once(net: Net) -> None:
    a, b = net.pair()
    for _ in range(3):
        assert a.send("b", Drain(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 3)
    a.leave("b")
    a.join([b.member])
    net.until(lambda: a.send("b", Start(), [np.zeros(20_000, np.uint8)]))
    net.until(lambda: len(net.got["b"]) == 4)
    assert b.statistics().refused == {}


def test_after_a_restart_of_the_receiver_nothing_counts_as_lost(net: Net) -> None:
    a, old = net.pair()
    for _ in range(5):
        assert a.send("b", Drain(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 5)
    old._bulk._incoming.clear()                              # as a new process at the same address
    assert a.send("b", Happened(what="again"), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 6)
    net.until(lambda: a.statistics().queues["b"].in_flight_bytes == 0)
    assert (a.statistics().links["b"].loss, a.statistics().queues["b"].lost) == (0.0, 0)


def test_undelivered_messages_are_told_of_once_by_reason(net: Net) -> None:
    told: list[tuple[str, Hashable, str]] = []
    a, b = net.pair()
    a._bulk._undelivered = lambda *what: told.append(what)
    big = [np.zeros(8 * MIB, np.uint8)]
    assert a.send("b", Drain(), big, tag="late", budget_s=0.0005)
    net.until(lambda: len(told) == 1)
    assert a.send("b", Drain(), big, tag="gone")
    b.close()
    net.until(lambda: len(told) == 2)
    assert told == [("b", "late", "late"), ("b", "gone", "unreachable")]
    assert a.statistics().undelivered == 2
