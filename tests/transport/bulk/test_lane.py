"""The bulk lane of a process, in fake time: budgets, endings that are told of, receipts, and whom it listens to."""

from __future__ import annotations

import pytest

from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.messages import Credit, Start, TransferEnded, TransferRefused
from swarm.core.protocol.wire import Receipt, WireError
from swarm.core.units import ns
from swarm.transport.bulk.lane import CHECK_NS, RECEIPT_BYTES, RECEIPT_NS
from swarm.transport.bulk.receiver import IDLE_NS
from tests.transport.desk import Desk

MIB = 1 << 20


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- out ---


def test_a_budget_is_what_is_left_when_the_header_leaves(desk: Desk) -> None:
    due = desk.clock.now_ns() + ns(2.0)
    assert desk.send(60_000, due=due)
    assert desk.send(60_000, due=due)                        # waits for the first one's receipt
    desk.clock.advance(0.75)
    desk.bulk.on_receipt("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
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
    desk.bulk.on_receipt("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
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
    desk.bulk.on_receipt("b", Receipt(desk.sent[-2].number, 0.0, 0), desk.clock.now_ns())
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
    desk.bulk.on_receipt("b", Receipt(1, 0.0, 0), desk.clock.now_ns())
    desk.bulk.on_refused("b", 1)
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
    desk.passes(CHECK_NS / 1e9)
    desk.open = True
    desk.passes(CHECK_NS / 1e9)
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
    with pytest.raises(WireError, match="number: 1 received after 1"):
        desk.comes(number=1, boot=2)


def test_nothing_is_kept_of_those_who_have_not_joined(desk: Desk) -> None:
    for i in range(100):
        desk.comes(number=1, sender=f"stranger{i}")          # may be heard
        desk.announces(MIB, sender=f"stranger{i}")
    assert desk.refused == ["stranger"] * 100
    with pytest.raises(WireError, match="stranger"):
        desk.bulk.on_end(desk.comes(sender="stranger"), 1)
    assert desk.bulk._incoming == {}
