"""How messages leave a bulk queue other than by being sent, and what does not get in."""

from __future__ import annotations

import pytest

from swarm.core.policy.link import LinkEstimator
from swarm.transport.bulk.sender import MOST_STARTED, QUEUE_BYTES, QUEUE_MESSAGES, Outgoing
from swarm.transport.bulk.steps import Dropped, SendEnd, SendWhole
from tests.transport.queues import KIB, MIB, drain, next_steps, put, queue, queued, told

# --- endings ---


def test_the_late_are_dropped_and_the_peer_is_told_if_they_had_begun() -> None:
    out = queue(6.25e6)
    begun, unbegun, fresh = queued(MIB, due=100), queued(20_000, due=200), queued(20_000, due=900)
    put(out, begun)
    flying = len(next_steps(out))
    put(out, unbegun, fresh)
    told(out, flying, 500)
    assert next_steps(out, 500) == [Dropped(begun, "late"), SendEnd(begun.transfer), Dropped(unbegun, "late"),
                              SendWhole(fresh, flying + 1)]
    assert out.statistics().dropped == {"late": 2}


def test_the_late_do_not_wait_for_a_turn_that_four_transfers_have() -> None:
    out = queue(6.25e6)
    for i in range(MOST_STARTED):                            # each more urgent than those before it
        put(out, queued(MIB, due=9000 - i))
        told(out, out.window.number)
        next_steps(out)
    late = queued(MIB, due=100)
    put(out, late)
    told(out, out.window.number)
    assert next_steps(out, 100)[0] == Dropped(late, "late")


def test_one_that_is_late_from_the_start_is_not_sent() -> None:
    out, late = queue(1e6), queued(20_000, due=100)
    put(out, late)
    assert next_steps(out, 100) == [Dropped(late, "late")]


def test_a_message_can_be_cancelled_until_it_has_wholly_gone() -> None:
    out = queue(6.25e6)
    begun, unbegun = queued(MIB, tag="begun"), queued(9_000, tag="unbegun")
    put(out, begun, unbegun)
    next_steps(out)
    assert out.cancel("unbegun") == [Dropped(unbegun, "cancelled")]
    assert out.cancel("begun") == [Dropped(begun, "cancelled")]
    assert out.cancel("begun") == []
    assert next_steps(out) == [SendEnd(begun.transfer)]
    told(out, out.window.number)
    assert next_steps(out) == []
    put(out, queued(20_000, tag="gone"))
    next_steps(out)
    assert out.cancel("gone") == []
    assert (out.statistics().waiting, out.statistics().waiting_bytes) == (0, 0)


def test_a_transfer_that_the_peer_refuses_ends_even_if_all_of_it_has_gone() -> None:
    out = queue(6.25e6)
    begun, gone = queued(MIB, tag="begun"), queued(70_000, tag="gone")
    put(out, gone)
    drain(out)
    put(out, begun)
    next_steps(out)
    assert out.on_refused(begun.transfer) == [Dropped(begun, "refused")]
    assert next_steps(out) == [SendEnd(begun.transfer)]
    (dropped,) = out.on_refused(gone.transfer)
    assert isinstance(dropped, Dropped)
    assert (dropped.queued.tag, dropped.reason) == ("gone", "refused")
    assert dropped.queued.tensors == ()
    assert out.on_refused(gone.transfer) == out.on_refused(begun.transfer) == []


@pytest.mark.parametrize("transfer", [0, 77])
def test_a_refusal_of_no_transfer_ends_nothing(transfer: int) -> None:
    out = queue(1e6)
    put(out, queued(9_000), queued(9_000), queued(9_000))
    next_steps(out)
    assert out.on_refused(transfer) == []


def test_where_the_way_is_closed_all_that_waits_ends_and_the_peer_is_told_when_it_opens() -> None:
    out = queue(6.25e6)
    begun, small, unsent = queued(MIB), queued(9_000), queued(9_000)
    put(out, begun, small)
    next_steps(out)
    dropped = out.on_unreachable(unsent)
    assert {(d.queued, d.reason) for d in dropped} == {(p, "unreachable") for p in (begun, small, unsent)}
    assert len(dropped) == 3
    assert (out.window.in_flight_bytes, out.statistics().waiting_bytes) == (0, 0)
    fresh = queued(9_000)
    put(out, fresh)
    told(out, 3)                                             # of what flew then: late, and harmless
    assert next_steps(out) == [SendEnd(begun.transfer), SendWhole(fresh, out.window.number)]
    assert next_steps(out) == []


def test_numbers_go_on_where_an_earlier_queue_to_the_peer_stopped() -> None:
    out, first = Outgoing(LinkEstimator(), number=41), queued(9_000)
    put(out, first)
    assert next_steps(out) == [SendWhole(first, 42)]


# --- bounds ---


def test_the_queue_is_bounded_in_messages() -> None:
    out = queue(1e6)
    put(out, queued(16 * KIB))
    next_steps(out)
    put(out, *(queued(1) for _ in range(QUEUE_MESSAGES)))
    assert not out.put(queued(1))
    assert (out.statistics().full, out.statistics().waiting) == (1, QUEUE_MESSAGES)


def test_the_queue_is_bounded_in_bytes_of_headers_too() -> None:
    out = queue(1e6)
    put(out, queued(16 * KIB))
    next_steps(out)
    put(out, *(queued(MIB - KIB, head_bytes=KIB) for _ in range(QUEUE_BYTES // MIB)))
    assert not out.put(queued(1))
    assert out.statistics().waiting_bytes == QUEUE_BYTES


def test_a_message_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    out = queue(1e6)
    put(out, queued(2 * QUEUE_BYTES))
    assert not out.put(queued(1))
    drain(out)
    put(out, queued(1))
