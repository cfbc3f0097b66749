"""One peer's bulk queue, in fake time: windows, chunks, and whose turn it is."""

from __future__ import annotations

import pytest

from swarm.core.policy.link import UNMEASURED_WINDOW_BYTES, LinkEstimator
from swarm.core.units import ns
from swarm.transport.bulk.sender import CHUNKS_PER_WINDOW, MOST_STARTED, QUEUE_MESSAGES, Outgoing
from swarm.transport.bulk.steps import SendChunk, SendWhole
from swarm.transport.bulk.window import CHUNK_BYTES, DRAIN_NS, IN_FLIGHT
from tests.transport.queues import KIB, MIB, drain, measured, next_steps, pieces, put, queue, queued, told

# --- the window ---


@pytest.mark.parametrize(("bytes_per_s", "window"), [
    (0.0, UNMEASURED_WINDOW_BYTES), (6.25e6, 62_500), (1e5, 16 * KIB), (1e6, 16 * KIB), (1e10, 8 * MIB),
])
def test_the_window_is_what_the_link_carries_in_ten_milliseconds(bytes_per_s: float, window: int) -> None:
    link = measured(bytes_per_s) if bytes_per_s else LinkEstimator()
    assert Outgoing(link).window.bytes == pytest.approx(window, abs=1)


def test_on_a_long_path_the_window_is_larger_by_what_is_on_its_way() -> None:
    link = measured(6.25e6)
    link.clear_trip(0.100)
    assert Outgoing(link).window.bytes == pytest.approx(6.25e6 * (0.010 + 1.25 * 0.100), abs=1)


def test_heartbeats_that_waited_behind_our_own_bulk_do_not_widen_the_window() -> None:
    link = measured(6.25e6)
    before = Outgoing(link).window.bytes
    for _ in range(100):
        link.round_trip(0.5)
    assert Outgoing(link).window.bytes == before


def test_what_fits_the_window_travels_whole_and_what_does_not_in_chunks() -> None:
    out = queue(6.25e6)
    small, large = queued(62_000), queued(63_000)
    put(out, small, large)
    assert next_steps(out) == [SendWhole(small, 1), SendWhole(large, 2)]
    assert (small.transfer, large.transfer) == (0, 2)        # of the second only the announcement
    told(out, 1)
    chunk = out.window.bytes // CHUNKS_PER_WINDOW
    assert pieces(next_steps(out), large)[:2] == [(0, 0, chunk), (0, chunk, 2 * chunk)]
    assert out.window.in_flight_bytes <= out.window.bytes


def test_a_whole_message_is_counted_with_its_header() -> None:
    out = queue(1e6)
    first, second = queued(head_bytes=16 * KIB), queued(head_bytes=16 * KIB)
    put(out, first, second)
    assert next_steps(out) == [SendWhole(first, 1)]
    assert (out.window.in_flight_bytes, out.statistics().waiting_bytes) == (16 * KIB, 16 * KIB)


def test_a_header_beyond_the_window_goes_whole_when_nothing_flies() -> None:
    out = queue(1e6)
    small, large = queued(9000), queued(head_bytes=900_000)
    put(out, small, large)
    assert next_steps(out) == [SendWhole(small, 1)]
    told(out, 1)
    assert next_steps(out) == [SendWhole(large, 2)]


def test_no_more_than_so_many_messages_fly() -> None:
    out = queue(1e10)
    put(out, *(queued(1) for _ in range(QUEUE_MESSAGES)))
    assert len(next_steps(out)) == IN_FLIGHT
    told(out, 1)
    assert len(next_steps(out)) == 1


def test_the_first_chunk_on_an_empty_way_is_small_since_it_measures_it() -> None:
    link = measured(6.25e6)
    out, large = Outgoing(link), queued(MIB)
    put(out, large)
    first = next_steps(out)
    told(out, len(first), ns(0.030))
    second = next_steps(out, ns(0.030))
    assert pieces(second, large)[0][2] - pieces(second, large)[0][1] == CHUNK_BYTES
    told(out, len(first) + 1, ns(0.050))
    assert link.quality.clear_s == pytest.approx(0.020)


def test_a_saturated_way_rests_now_and_then() -> None:
    """Else nothing would ever be sent on an empty path, whose delay tells the queue from the distance."""
    out, large = queue(6.25e6), queued(15 * MIB)
    put(out, large)
    flying = len(next_steps(out))
    for number in range(1, flying):
        told(out, number, DRAIN_NS)
        assert next_steps(out, DRAIN_NS) == []
    told(out, flying, DRAIN_NS)
    assert len(next_steps(out, DRAIN_NS)) > 1


def test_a_message_goes_past_the_queue_only_where_the_queue_would_send_it_now() -> None:
    assert not queue(6.25e6).is_open(63_000, 0)              # in chunks
    out = queue(6.25e6)
    assert out.is_open(40_000, 0)
    assert out.window.on_sent(40_000, 0) == 1
    assert not out.is_open(30_000, 0)                        # the window is full
    assert out.is_open(20_000, 0)
    assert out.window.on_sent(20_000, 0) == 2
    assert not out.is_open(1, DRAIN_NS)                       # the way rests
    told(out, 2)
    assert out.is_open(1, DRAIN_NS)
    put(out, queued(62_500))
    assert not out.is_open(1, DRAIN_NS)                       # another waits
    out.on_unreachable()
    assert out.is_open(1, DRAIN_NS)
    put(out, queued(MIB))
    next_steps(out)
    out.on_unreachable()
    assert not out.is_open(1, DRAIN_NS)                       # the end of a transfer goes before it


# --- whose turn it is ---


def test_the_earliest_deadline_goes_first_then_who_came_first() -> None:
    out = queue(1e6)                                         # whose window takes one of these at a time
    put(out, queued(10_000, tag="flying"))
    next_steps(out)
    waiting = [queued(10_000, tag=tag, due=due) for tag, due in
               [("never", None), ("late", 900), ("soon", 500), ("soon too", 500), ("never either", None)]]
    put(out, *waiting)
    order = []
    for number in range(1, 6):
        told(out, number)
        (step,) = next_steps(out)
        assert isinstance(step, SendWhole)
        order.append(step.queued.tag)
    assert order == ["soon", "soon too", "late", "never", "never either"]


def test_a_more_urgent_message_goes_between_the_chunks_of_another() -> None:
    out = queue(6.25e6)
    large, small, middle = queued(MIB), queued(20_000, due=900), queued(100_000, due=1000)
    put(out, large)
    before = next_steps(out)
    put(out, small, middle)
    told(out, len(before))
    steps = next_steps(out)
    assert isinstance(steps[0], SendWhole)
    assert steps[0].queued is small
    assert isinstance(steps[1], SendWhole)
    assert (steps[1].queued, steps[1].number) == (middle, middle.transfer)
    rest = drain(out)
    last_of_middle = max(i for i, s in enumerate(rest) if isinstance(s, SendChunk) and s.queued is middle)
    assert all(s.queued is middle for s in rest[:last_of_middle] if isinstance(s, SendChunk))
    assert pieces(before + steps + rest, large)[-1][2] == MIB


def test_at_most_four_transfers_are_under_way() -> None:
    out, began = queue(1e6), []
    for i in range(MOST_STARTED + 2):                # each more urgent than those before it
        put(out, queued(MIB, due=1000 - i, tag=i))
        told(out, out.window.number)
        began += [s.queued.tag for s in next_steps(out) if isinstance(s, SendWhole)]
    assert began == [0, 1, 2, 3]
    put(out, queued(9000, due=1, tag="whole"))       # is none
    told(out, out.window.number)
    assert [s.queued.tag for s in next_steps(out) if isinstance(s, SendWhole)] == ["whole"]
    assert MOST_STARTED == 4


def test_tensors_without_bytes_need_no_chunks() -> None:
    out = queue(1e6)
    odd, none = queued(0, 20_000, 0, 0, 9_000, 0), queued(0, 0)
    put(out, odd, none)
    steps = drain(out)
    assert SendWhole(none, none.transfer or steps[-1].number) in steps
    sent = pieces(steps, odd)
    assert {tensor for tensor, _, _ in sent} == {1, 4}
    assert sum(end - offset for _, offset, end in sent) == 29_000
    assert out.statistics().waiting_bytes == 0
