"""The bulk lane of a process: in fake time with a way that opens and closes, and over real sockets."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pytest

from swarm.core import messages as msg
from swarm.core.clock import FakeClock, ns
from swarm.core.link import LinkEstimator
from swarm.core.messages import Body, Credit, Drain, Happened, Shared, Start, TransferEnded, TransferRefused
from swarm.core.wire import DTYPES, PROTOCOL, Envelope, Receipt, TensorHeader, WireError
from swarm.net.bulk import LOOK_NS, MOST_SENDERS, RECEIPT_BYTES, RECEIPT_NS, Bulk
from swarm.net.incoming import IDLE_NS
from swarm.net.loop import Loop
from swarm.net.outgoing import Parcel
from tests.net.harness import Net

MIB = 1 << 20


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
        self.bulk = Bulk(self.loop, self.write, lambda error: self.refused.append(error.cause),
                         lambda *what: self.told.append(what))
        self.bulk.join("b", LinkEstimator())

    def write(
        self, to: str, lane: str, body: Body, tensors: Any = (), budget_s: float | None = None, number: int = 0,
        transfer: int = 0,
    ) -> bool:
        if self.open:
            self.sent.append(Sent(to, lane, body, budget_s, number, transfer))
            self.bulk.said(to)
        return self.open

    def send(self, *sizes: int, due: int | None = None, tag: Hashable = None) -> bool:
        return self.bulk.send("b", Parcel(Start(), [np.zeros(n, np.uint8) for n in sizes], due, tag))

    def comes(self, body: Body = Start(), number: int = 0, sender: str = "b", size: int = 100, boot: int = 1,  # noqa: B008
              **fields: Any) -> Envelope:
        """A numbered message of a peer is taken, and what is owed for it seen to."""
        envelope = Envelope(v=PROTOCOL, swarm="s", sender=sender, boot=boot, body=body, number=number, **fields)
        if number:
            self.bulk.came(envelope, size, self.clock.now_ns())
            self.bulk.acknowledge(sender, at_once=False)
        return envelope

    def announces(self, *shape: int, transfer: int = 1, sender: str = "b") -> None:
        envelope = self.comes(sender=sender, transfer=transfer, tensors=[TensorHeader("uint8", list(shape))])
        self.bulk.announced(envelope, self.clock.now_ns())

    def passes(self, seconds: float) -> None:
        """Time passes and the loop runs what is due, step by step."""
        for _ in range(max(1, round(seconds / 0.25))):
            self.clock.advance(min(seconds, 0.25))
            self.loop.post(self.loop._stop)
            self.loop.run()

    def bodies(self, lane: str = "urgent") -> list[Body]:
        return [sent.body for sent in self.sent if sent.lane == lane]


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- out ---


def test_a_budget_is_what_is_left_when_the_header_leaves(desk: Desk) -> None:
    due = desk.clock.now_ns() + ns(2.0)
    assert desk.send(60_000, due=due)
    assert desk.send(60_000, due=due)                        # waits for the first one's receipt
    desk.clock.advance(0.75)
    desk.bulk.receipted("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
    assert [sent.budget_s for sent in desk.sent[:2]] == [pytest.approx(2.0), pytest.approx(1.25)]


def test_what_cannot_go_at_once_is_refused_and_nobody_is_told_of_it_twice(desk: Desk) -> None:
    desk.open = False
    assert not desk.send(20_000, tag="first")
    desk.passes(1.0)
    assert (desk.told, desk.bulk.undelivered) == ([], 0)


def test_what_waits_is_told_of_once_when_the_way_closes_and_never_from_within(desk: Desk) -> None:
    assert desk.send(60_000, tag="gone")
    assert desk.send(60_000, tag="waits")
    assert desk.send(60_000)                                 # without a tag: only counted
    desk.open = False
    desk.bulk.receipted("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
    assert desk.told == []
    desk.passes(0.25)
    assert (desk.told, desk.bulk.undelivered) == ([("b", "waits", "unreachable")], 2)
    desk.passes(5.0)
    assert len(desk.told) == 1


def test_the_late_are_told_of_even_if_the_way_closes_just_then(desk: Desk) -> None:
    assert desk.send(MIB, due=desk.clock.now_ns() + ns(0.1), tag="late")
    assert desk.send(20_000, tag="behind")
    desk.open = False                                        # so that the end of the transfer cannot be said
    desk.passes(0.25)
    desk.passes(0.25)
    assert sorted(desk.told) == [("b", "behind", "unreachable"), ("b", "late", "late")]
    desk.open = True
    assert desk.send(20_000)
    assert desk.bodies("bulk")[-2:] == [TransferEnded(transfer=1), Start()]


def test_cancelling_tells_of_others_but_not_of_itself(desk: Desk) -> None:
    assert desk.send(MIB, tag="one")
    assert desk.send(MIB, tag="two")
    desk.open = False
    assert desk.bulk.cancel("b", "one")
    assert not desk.bulk.cancel("b", "one")
    assert not desk.bulk.cancel("nobody", "one")
    desk.passes(0.25)
    assert desk.told == [("b", "two", "unreachable")]


def test_a_cancelled_transfer_is_ended_and_the_next_one_goes(desk: Desk) -> None:
    assert desk.send(MIB, tag="one")
    assert desk.send(20_000, tag="two")
    assert desk.bulk.cancel("b", "one")
    assert desk.bodies("bulk")[-1] == TransferEnded(transfer=1)
    desk.bulk.receipted("b", Receipt(desk.sent[-2].number, 0.0, 0), desk.clock.now_ns())
    assert desk.bodies("bulk")[-1] == Start()


def test_one_who_leaves_and_joins_again_is_not_sent_numbers_that_it_knows(desk: Desk) -> None:
    assert desk.send(20_000)
    desk.bulk.leave("b")
    desk.bulk.join("b", LinkEstimator())
    assert desk.send(20_000)
    assert [sent.number for sent in desk.sent] == [1, 2]


def test_what_is_said_of_one_who_left_is_of_no_consequence(desk: Desk) -> None:
    assert desk.send(MIB, tag="one")
    desk.bulk.leave("b")
    desk.bulk.receipted("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
    desk.bulk.refused("b", 1)
    desk.passes(0.25)
    assert desk.told == [("b", "one", "unreachable")]


def test_nothing_happens_after_the_end(desk: Desk) -> None:
    desk.send(60_000)
    desk.comes(number=1)
    desk.bulk.close()
    desk.sent.clear()
    desk.bulk.acknowledge("b", at_once=True)
    desk.passes(5.0)
    assert desk.sent == []
    assert not [timer for *_, timer in desk.loop._timers if timer.callback is not None]


# --- receipts ---


def test_a_receipt_goes_with_the_next_message(desk: Desk) -> None:
    desk.comes(number=1)
    assert desk.bulk.receipt_for("b") == Receipt(1, 0.0, 0)
    desk.write("b", "urgent", Start())
    assert desk.bulk.receipt_for("b") is None
    desk.passes(0.25)
    assert desk.bodies() == [Start()]                        # and not by itself too


def test_a_receipt_goes_by_itself_if_nothing_else_does(desk: Desk) -> None:
    desk.comes(number=1)
    desk.comes(number=2)
    assert desk.sent == []
    desk.passes(RECEIPT_NS / 1e9)
    assert desk.bodies() == [Credit()]


def test_much_that_came_is_receipted_at_once(desk: Desk) -> None:
    desk.comes(number=1, size=RECEIPT_BYTES - 1)
    assert desk.sent == []
    desk.comes(number=2, size=1)
    assert desk.bodies() == [Credit()]


def test_a_receipt_that_could_not_leave_is_tried_again(desk: Desk) -> None:
    desk.open = False
    desk.comes(number=1, size=RECEIPT_BYTES)
    desk.passes(LOOK_NS / 1e9)
    desk.open = True
    desk.passes(LOOK_NS / 1e9)
    assert desk.bodies() == [Credit()]


# --- in ---


def test_a_transfer_that_stands_still_is_given_up_and_its_sender_told(desk: Desk) -> None:
    desk.announces(MIB)
    desk.passes(IDLE_NS / 1e9 + 0.25)
    assert desk.refused == ["idle"]
    assert desk.bodies() == [TransferRefused(transfer=1, reason="idle")]
    assert desk.bulk._incoming["b"].open_bytes == 0


def test_a_new_start_of_a_peer_begins_anew(desk: Desk) -> None:
    desk.comes(number=7)
    desk.announces(MIB)
    desk.comes(number=1, boot=2)
    assert desk.bulk._incoming["b"].open_bytes == 0
    with pytest.raises(WireError, match="number: 1 came after 1"):
        desk.comes(number=1, boot=2)


def test_senders_are_bounded_and_the_quiet_make_room(desk: Desk) -> None:
    for i in range(MOST_SENDERS - 1):
        desk.announces(1, sender=f"busy{i}")
    desk.comes(number=1, sender="quiet")
    desk.announces(1, sender="new")
    assert "quiet" not in desk.bulk._incoming
    with pytest.raises(WireError, match="stranger"):
        desk.comes(number=1, sender="one too many")
    assert len(desk.bulk._incoming) == MOST_SENDERS


# --- over real sockets ---


def open_bytes(of: Any, sender: str) -> int:
    incoming = of._bulk._incoming.get(sender)
    return incoming.open_bytes if incoming else 0


def joined(net: Net) -> tuple[Any, Any]:
    a, b = net.endpoint("a"), net.endpoint("b")
    a.join([b.member])
    b.join([a.member])
    net.until(lambda: a.send("b", Start()))
    net.until(lambda: b.send("a", Start()))
    net.until(lambda: bool(net.got["a"] and net.got["b"]))
    net.got["a"].clear()
    net.got["b"].clear()
    return a, b


def test_tensors_larger_than_the_window_arrive_intact(net: Net) -> None:
    a, _ = joined(net)
    rng = np.random.default_rng(7)
    tensors = [rng.integers(0, 256, (3, 500_000), np.uint8).view(np.uint8), np.zeros((0, 7), np.float32),
               rng.standard_normal((300, 1000)).astype(np.float32), np.array(-5, np.int64),
               rng.random((1000, 100)) < 0.5, rng.integers(-99, 99, (2, 3, 4), np.int16).transpose(2, 0, 1)]
    assert a.send("b", Drain(), tensors, budget_s=9.0)
    net.until(lambda: len(net.got["b"]) == 1)
    (came,) = net.got["b"]
    assert len(came.tensors) == len(tensors)
    for there, here in zip(came.tensors, tensors, strict=True):
        assert (there.dtype, there.shape) == (here.dtype, here.shape)
        assert np.array_equal(there, here)
    assert came.begun_ns < came.at_ns
    assert came.budget_s is not None
    assert 0 < came.budget_s <= 9.0
    net.until(lambda: a.statistics().queues["b"].in_flight_bytes == 0)
    assert a.statistics().queues["b"].lost == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_element_type_travels_in_chunks(net: Net, dtype: str) -> None:
    a, _ = joined(net)
    tensor = (np.arange(100_000) % 2).astype(dtype)
    assert a.send("b", Drain(), [tensor])
    net.until(lambda: len(net.got["b"]) == 1)
    assert net.got["b"][0].tensors[0].dtype == tensor.dtype
    assert np.array_equal(net.got["b"][0].tensors[0], tensor)


def test_an_answer_with_a_large_header_takes_the_receipt_along(net: Net) -> None:
    """It first tries the urgent lane; the receipt in that try must not be lost."""
    a, b = joined(net)
    assert a.send("b", Drain(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 1)
    b._bulk.came(b._bulk._incoming["a"] and Envelope(v=1, swarm="s", sender="a", boot=1, body=Start(), number=2), 1, 0)
    assert b._bulk.receipt_for("a") is not None
    assert b.send("a", Shared(topic="map", data=bytes(100_000)))
    assert b._bulk.receipt_for("a") is None
    assert b.statistics().queues["a"].in_flight_bytes > 100_000
    net.until(lambda: a.statistics().refused == {"receipt": 1})       # for number 2, which never was: so it came along


def test_a_transfer_that_is_cancelled_between_chunks_never_arrives_and_is_freed(net: Net) -> None:
    a, b = joined(net)
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
    a, b = joined(net)
    for _ in range(3):
        assert a.send("b", Drain(), [np.zeros(20_000, np.uint8)])
    net.until(lambda: len(net.got["b"]) == 3)
    a.leave("b")
    a.join([b.member])
    net.until(lambda: a.send("b", Start(), [np.zeros(20_000, np.uint8)]))
    net.until(lambda: len(net.got["b"]) == 4)
    assert b.statistics().refused == {}


def test_after_a_restart_of_the_receiver_nothing_counts_as_lost(net: Net) -> None:
    a, old = joined(net)
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
    a, b = joined(net)
    a._bulk._undelivered = lambda *what: told.append(what)
    big = [np.zeros(8 * MIB, np.uint8)]
    assert a.send("b", Drain(), big, tag="late", budget_s=0.0005)
    net.until(lambda: len(told) == 1)
    assert a.send("b", msg.Drain(), big, tag="gone")
    b.close()
    net.until(lambda: len(told) == 2)
    assert told == [("b", "late", "late"), ("b", "gone", "unreachable")]
    assert a.statistics().undelivered == 2
