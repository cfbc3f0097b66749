"""One peer's bulk queue, in fake time: windows, turns, chunks, and that every message ends exactly once."""

from __future__ import annotations

import random
from collections.abc import Hashable

import numpy as np
import pytest

from swarm.core.clock import ns
from swarm.core.link import UNMEASURED_WINDOW_BYTES, LinkEstimator
from swarm.core.messages import Start
from swarm.core.wire import Receipt, WireError
from swarm.net.outgoing import (
    CHUNK_BYTES,
    CHUNKS_PER_WINDOW,
    IN_FLIGHT,
    MOST_STARTED,
    QUEUE_BYTES,
    QUEUE_MESSAGES,
    REST_NS,
    Dropped,
    Outgoing,
    Parcel,
    SendChunk,
    SendEnd,
    SendWhole,
    Step,
)

KIB, MIB = 1 << 10, 1 << 20


def measured(bytes_per_s: float) -> LinkEstimator:
    link = LinkEstimator()
    link.delivered(1000, 1000 / bytes_per_s)
    return link


class Fixed(LinkEstimator):
    """A link of a known rate, whatever the receipts of a test say of it."""

    def __init__(self, bytes_per_s: float) -> None:
        super().__init__()
        super().delivered(1000, 1000 / bytes_per_s)

    def delivered(self, size_bytes: int, took_s: float) -> None:
        """Known already."""

    def clear_trip(self, rtt_s: float) -> None:
        """Known already."""


def queue(bytes_per_s: float) -> Outgoing:
    """A queue to a peer on a link of this rate."""
    return Outgoing(Fixed(bytes_per_s))


def parcel(*sizes: int, due: int | None = None, tag: Hashable = None, head_bytes: int = 0) -> Parcel:
    return Parcel(Start(), [np.zeros(n, np.uint8) for n in sizes], due, tag, head_bytes)


def put(out: Outgoing, *parcels: Parcel) -> None:
    taken = [out.put(p) for p in parcels]
    assert all(taken)


def pump(out: Outgoing, now: int = 0) -> list[Step]:
    return list(out.pump(now))


def told(out: Outgoing, number: int, now: int = 0, held_s: float = 0.0, lost: int = 0) -> None:
    out.receipt(Receipt(number, held_s, lost), now)


def pieces(steps: list[Step], of: Parcel) -> list[tuple[int, int, int]]:
    return [(s.tensor, s.offset, s.end) for s in steps if isinstance(s, SendChunk) and s.parcel is of]


def drain(out: Outgoing, now: int = 0) -> list[Step]:
    """All that goes when every message is receipted at once."""
    steps = pump(out, now)
    while out.statistics().waiting:
        told(out, out.number, now)
        steps += pump(out, now)
    return steps


# --- the window ---


@pytest.mark.parametrize(("bytes_per_s", "window"), [
    (0.0, UNMEASURED_WINDOW_BYTES), (6.25e6, 62_500), (1e5, 16 * KIB), (1e6, 16 * KIB), (1e10, 8 * MIB),
])
def test_the_window_is_what_the_link_carries_in_ten_milliseconds(bytes_per_s: float, window: int) -> None:
    link = measured(bytes_per_s) if bytes_per_s else LinkEstimator()
    assert Outgoing(link).window_bytes == pytest.approx(window, abs=1)


def test_on_a_long_path_the_window_is_larger_by_what_is_on_its_way() -> None:
    link = measured(6.25e6)
    link.clear_trip(0.100)
    assert Outgoing(link).window_bytes == pytest.approx(6.25e6 * (0.010 + 1.25 * 0.100), abs=1)


def test_heartbeats_that_waited_behind_our_own_bulk_do_not_widen_the_window() -> None:
    link = measured(6.25e6)
    before = Outgoing(link).window_bytes
    for _ in range(100):
        link.round_trip(0.5)
    assert Outgoing(link).window_bytes == before


def test_what_fits_the_window_travels_whole_and_what_does_not_in_chunks() -> None:
    out = queue(6.25e6)
    small, large = parcel(62_000), parcel(63_000)
    put(out, small, large)
    assert pump(out) == [SendWhole(small, 1), SendWhole(large, 2)]
    assert (small.transfer, large.transfer) == (0, 2)        # of the second only the announcement
    told(out, 1)
    chunk = out.window_bytes // CHUNKS_PER_WINDOW
    assert pieces(pump(out), large)[:2] == [(0, 0, chunk), (0, chunk, 2 * chunk)]
    assert out.in_flight_bytes <= out.window_bytes


def test_a_whole_message_is_counted_with_its_header() -> None:
    out = queue(1e6)
    first, second = parcel(head_bytes=16 * KIB), parcel(head_bytes=16 * KIB)
    put(out, first, second)
    assert pump(out) == [SendWhole(first, 1)]
    assert (out.in_flight_bytes, out.statistics().waiting_bytes) == (16 * KIB, 16 * KIB)


def test_a_header_beyond_the_window_goes_whole_when_nothing_flies() -> None:
    out = queue(1e6)
    small, large = parcel(9000), parcel(head_bytes=900_000)
    put(out, small, large)
    assert pump(out) == [SendWhole(small, 1)]
    told(out, 1)
    assert pump(out) == [SendWhole(large, 2)]


def test_no_more_than_so_many_messages_fly() -> None:
    out = queue(1e10)
    put(out, *(parcel(1) for _ in range(QUEUE_MESSAGES)))
    assert len(pump(out)) == IN_FLIGHT
    told(out, 1)
    assert len(pump(out)) == 1


def test_the_first_chunk_on_an_empty_way_is_small_since_it_measures_it() -> None:
    link = measured(6.25e6)
    out, large = Outgoing(link), parcel(MIB)
    put(out, large)
    first = pump(out)
    told(out, len(first), ns(0.030))
    second = pump(out, ns(0.030))
    assert pieces(second, large)[0][2] - pieces(second, large)[0][1] == CHUNK_BYTES
    told(out, len(first) + 1, ns(0.050))
    assert link.quality.clear_s == pytest.approx(0.020)


def test_a_saturated_way_rests_now_and_then() -> None:
    """Else nothing would ever be sent on an empty path, whose delay tells the queue from the distance."""
    out, large = queue(6.25e6), parcel(15 * MIB)
    put(out, large)
    flying = len(pump(out))
    for number in range(1, flying):
        told(out, number, REST_NS)
        assert pump(out, REST_NS) == []
    told(out, flying, REST_NS)
    assert len(pump(out, REST_NS)) > 1


# --- whose turn it is ---


def test_the_earliest_deadline_goes_first_then_who_came_first() -> None:
    out = queue(1e6)                                         # whose window takes one of these at a time
    put(out, parcel(10_000, tag="flying"))
    pump(out)
    waiting = [parcel(10_000, tag=tag, due=due) for tag, due in
               [("never", None), ("late", 900), ("soon", 500), ("soon too", 500), ("never either", None)]]
    put(out, *waiting)
    order = []
    for number in range(1, 6):
        told(out, number)
        (step,) = pump(out)
        assert isinstance(step, SendWhole)
        order.append(step.parcel.tag)
    assert order == ["soon", "soon too", "late", "never", "never either"]


def test_a_more_urgent_message_goes_between_the_chunks_of_another() -> None:
    out = queue(6.25e6)
    large, small, middle = parcel(MIB), parcel(20_000, due=900), parcel(100_000, due=1000)
    put(out, large)
    before = pump(out)
    put(out, small, middle)
    told(out, len(before))
    steps = pump(out)
    assert isinstance(steps[0], SendWhole)
    assert steps[0].parcel is small
    assert isinstance(steps[1], SendWhole)
    assert (steps[1].parcel, steps[1].number) == (middle, middle.transfer)
    rest = drain(out)
    last_of_middle = max(i for i, s in enumerate(rest) if isinstance(s, SendChunk) and s.parcel is middle)
    assert all(s.parcel is middle for s in rest[:last_of_middle] if isinstance(s, SendChunk))
    assert pieces(before + steps + rest, large)[-1][2] == MIB


def test_at_most_four_transfers_are_under_way() -> None:
    out, began = queue(1e6), []
    for i in range(MOST_STARTED + 2):                # each more urgent than those before it
        put(out, parcel(MIB, due=1000 - i, tag=i))
        told(out, out.number)
        began += [s.parcel.tag for s in pump(out) if isinstance(s, SendWhole)]
    assert began == [0, 1, 2, 3]
    put(out, parcel(9000, due=1, tag="whole"))       # is none
    told(out, out.number)
    assert [s.parcel.tag for s in pump(out) if isinstance(s, SendWhole)] == ["whole"]
    assert MOST_STARTED == 4


def test_tensors_without_bytes_need_no_chunks() -> None:
    out = queue(1e6)
    odd, none = parcel(0, 20_000, 0, 0, 9_000, 0), parcel(0, 0)
    put(out, odd, none)
    steps = drain(out)
    assert SendWhole(none, none.transfer or steps[-1].number) in steps
    sent = pieces(steps, odd)
    assert {tensor for tensor, _, _ in sent} == {1, 4}
    assert sum(end - offset for _, offset, end in sent) == 29_000
    assert out.statistics().waiting_bytes == 0


# --- endings ---


def test_the_late_are_dropped_and_the_peer_is_told_if_they_had_begun() -> None:
    out = queue(6.25e6)
    begun, unbegun, fresh = parcel(MIB, due=100), parcel(20_000, due=200), parcel(20_000, due=900)
    put(out, begun)
    flying = len(pump(out))
    put(out, unbegun, fresh)
    told(out, flying, 500)
    assert pump(out, 500) == [Dropped(begun, "late"), SendEnd(begun.transfer), Dropped(unbegun, "late"),
                              SendWhole(fresh, flying + 1)]
    assert out.statistics().dropped == {"late": 2}


def test_one_that_is_late_from_the_start_is_not_sent() -> None:
    out, late = queue(1e6), parcel(20_000, due=100)
    put(out, late)
    assert pump(out, 100) == [Dropped(late, "late")]


def test_a_message_can_be_cancelled_until_it_has_wholly_gone() -> None:
    out = queue(6.25e6)
    begun, unbegun = parcel(MIB, tag="begun"), parcel(9_000, tag="unbegun")
    put(out, begun, unbegun)
    pump(out)
    assert out.cancel("unbegun") == [Dropped(unbegun, "cancelled")]
    assert out.cancel("begun") == [Dropped(begun, "cancelled")]
    assert out.cancel("begun") == []
    assert pump(out) == [SendEnd(begun.transfer)]
    told(out, out.number)
    assert pump(out) == []
    put(out, parcel(20_000, tag="gone"))
    pump(out)
    assert out.cancel("gone") == []
    assert (out.statistics().waiting, out.statistics().waiting_bytes) == (0, 0)


def test_a_transfer_that_the_peer_refuses_ends_even_if_all_of_it_has_gone() -> None:
    out = queue(6.25e6)
    begun, gone = parcel(MIB, tag="begun"), parcel(70_000, tag="gone")
    put(out, gone)
    drain(out)
    put(out, begun)
    pump(out)
    assert out.refused(begun.transfer) == [Dropped(begun, "refused")]
    assert pump(out) == [SendEnd(begun.transfer)]
    (dropped,) = out.refused(gone.transfer)
    assert isinstance(dropped, Dropped)
    assert (dropped.parcel.tag, dropped.reason) == ("gone", "refused")
    assert dropped.parcel.tensors == ()
    assert out.refused(gone.transfer) == out.refused(begun.transfer) == []


@pytest.mark.parametrize("transfer", [0, 77])
def test_a_refusal_of_no_transfer_ends_nothing(transfer: int) -> None:
    out = queue(1e6)
    put(out, parcel(9_000), parcel(9_000), parcel(9_000))
    pump(out)
    assert out.refused(transfer) == []


def test_where_the_way_is_closed_all_that_waits_ends_and_the_peer_is_told_when_it_opens() -> None:
    out = queue(6.25e6)
    begun, small, unsent = parcel(MIB), parcel(9_000), parcel(9_000)
    put(out, begun, small)
    pump(out)
    dropped = out.unreachable(unsent)
    assert {(d.parcel, d.reason) for d in dropped} == {(p, "unreachable") for p in (begun, small, unsent)}
    assert len(dropped) == 3
    assert (out.in_flight_bytes, out.statistics().waiting_bytes) == (0, 0)
    fresh = parcel(9_000)
    put(out, fresh)
    told(out, 3)                                             # of what flew then: late, and harmless
    assert pump(out) == [SendEnd(begun.transfer), SendWhole(fresh, out.number)]
    assert pump(out) == []


def test_numbers_go_on_where_an_earlier_queue_to_the_peer_stopped() -> None:
    out, first = Outgoing(LinkEstimator(), number=41), parcel(9_000)
    put(out, first)
    assert pump(out) == [SendWhole(first, 42)]


# --- bounds ---


def test_the_queue_is_bounded_in_messages() -> None:
    out = queue(1e6)
    put(out, parcel(16 * KIB))
    pump(out)
    put(out, *(parcel(1) for _ in range(QUEUE_MESSAGES)))
    assert not out.put(parcel(1))
    assert (out.statistics().full, out.statistics().waiting) == (1, QUEUE_MESSAGES)


def test_the_queue_is_bounded_in_bytes_of_headers_too() -> None:
    out = queue(1e6)
    put(out, parcel(16 * KIB))
    pump(out)
    put(out, *(parcel(MIB - KIB, head_bytes=KIB) for _ in range(QUEUE_BYTES // MIB)))
    assert not out.put(parcel(1))
    assert out.statistics().waiting_bytes == QUEUE_BYTES


def test_a_message_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    out = queue(1e6)
    put(out, parcel(2 * QUEUE_BYTES))
    assert not out.put(parcel(1))
    drain(out)
    put(out, parcel(1))


# --- receipts ---


def test_a_receipt_is_for_all_up_to_it_and_a_second_one_changes_nothing() -> None:
    out = queue(6.25e6)
    put(out, *(parcel(10_000) for _ in range(4)))
    pump(out)
    told(out, 3, 100)
    assert out.in_flight_bytes == 10_000
    before = out._link.quality
    told(out, 3, 200)
    told(out, 1, 300)
    assert (out.in_flight_bytes, out._link.quality) == (10_000, before)


@pytest.mark.parametrize(("number", "lost"), [(3, 0), (2**62, 0), (1, 2), (2, 2**62)])
def test_a_receipt_for_what_was_never_sent_is_refused_and_changes_nothing(number: int, lost: int) -> None:
    out = queue(6.25e6)
    put(out, parcel(10_000), parcel(10_000))
    pump(out)
    before = out.statistics(), out._link.quality
    with pytest.raises(WireError) as refused:
        told(out, number, lost=lost)
    assert refused.value.cause == "receipt"
    assert (out.statistics(), out._link.quality) == before


def test_what_the_peer_never_got_counts_as_loss_once() -> None:
    out = Outgoing(LinkEstimator())
    put(out, *(parcel(1) for _ in range(10)))
    pump(out)
    told(out, 5, lost=2)
    loss = out._link.quality.loss
    assert loss == pytest.approx(1 - (15 / 16) ** 2)
    told(out, 10, lost=2)
    assert (out._link.quality.loss, out.statistics().lost) == (loss, 2)


@pytest.mark.parametrize("held_s", [0.0, 1.0, 1e7])
def test_what_a_peer_says_it_held_a_receipt_leaves_the_estimates_sane(held_s: float) -> None:
    out = Outgoing(LinkEstimator())
    for _ in range(3):
        put(out, parcel(20_000), parcel(MIB))
        pump(out)
        told(out, out.number, ns(0.001), held_s)
    quality = out._link.quality
    assert 0 < quality.bytes_per_s <= 1.25e10
    assert quality.clear_s >= 0
    assert 16 * KIB <= out.window_bytes <= 8 * MIB


def test_a_clock_that_leaps_costs_one_sample() -> None:
    out = Outgoing(measured(6.25e6))
    put(out, parcel(20_000), parcel(20_000))
    pump(out)
    told(out, 2, ns(3600.0))
    assert out._link.quality.bytes_per_s == pytest.approx(6.25e6 * 7 / 8, rel=0.01)
    assert out.window_bytes > 50_000


# --- silence ---


def test_silence_makes_the_window_small_and_receipts_make_it_large_again() -> None:
    out = queue(100e6)
    wide = out.window_bytes
    put(out, parcel(4 * MIB))
    pump(out)
    out.listen(ns(0.9))
    assert out.statistics().silences == 0
    out.listen(ns(1.1))
    assert (out.statistics().silences, out.window_bytes, out.in_flight_bytes) == (1, 16 * KIB, 0)
    at = 1.1
    for doubled in (2.0, 4.0, 8.0, 8.0):                     # and then it is as patient again
        (chunk, *_) = pump(out, ns(at))
        assert isinstance(chunk, SendChunk)
        out.listen(ns(at + 0.9 * doubled))
        before = out.statistics().silences
        out.listen(ns(at + 1.1 * doubled))
        assert out.statistics().silences == before + 1
        at += 1.1 * doubled
    while out.window_bytes < wide / 2:
        before = out.window_bytes
        pump(out, ns(at))
        at += 0.0005
        told(out, out.number, ns(at))
        assert out.window_bytes <= max(2 * before, before + MIB)
    assert out.statistics().silences == 5


def test_a_peer_that_never_reads_is_sent_little() -> None:
    """Within two minutes: what was in flight at first, then a small window for each silence."""
    out, sent, at = queue(100e6), 0, 0.0
    put(out, parcel(16 * MIB))
    while at < 120.0:
        sent += sum(s.end - s.offset for s in pump(out, ns(at)) if isinstance(s, SendChunk))
        out.listen(ns(at))
        at += 0.25
    assert sent < 2 * MIB
    assert out.statistics().silences < 20


def test_nothing_is_missed_where_nothing_flies() -> None:
    out = queue(1e6)
    out.listen(ns(3600.0))
    assert out.statistics().silences == 0
    put(out, parcel(20_000))
    pump(out, ns(3600.0))
    out.listen(ns(3600.5))                                   # the time before it was sent was no silence
    assert out.statistics().silences == 0


# --- any order of events ---


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_every_message_ends_once_and_the_window_holds(seed: int) -> None:
    rng = random.Random(seed)
    out, now = Outgoing(rng.choice([LinkEstimator(), measured(1e6), measured(6.25e6), measured(1e9)])), 0
    taken: dict[int, Parcel] = {}
    ended: dict[int, str] = {}
    at: dict[int, tuple[int, int]] = {}
    answered = 0

    def do(steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Dropped):
                key = step.parcel.tag
                assert isinstance(key, int)
                assert ended.get(key, "sent") == "sent" if step.reason == "refused" else key not in ended
                ended[key] = step.reason
            elif isinstance(step, SendWhole):
                assert step.parcel.tag not in ended
                if not step.parcel.transfer:
                    ended[step.parcel.tag] = "sent"
            elif isinstance(step, SendChunk):
                assert step.parcel.tag not in ended
                check_chunk(step)

    def check_chunk(step: SendChunk) -> None:
        key = step.parcel.tag
        tensor, offset = at.get(key, (0, 0))
        while step.parcel.tensors[tensor].nbytes == offset:
            tensor, offset = tensor + 1, 0
        assert (step.tensor, step.offset) == (tensor, offset)
        assert 0 < step.end - step.offset <= step.parcel.tensors[tensor].nbytes - offset
        at[key] = (tensor, step.end)
        whole = sum(t.nbytes for t in step.parcel.tensors[:tensor]) + step.end
        if whole == sum(t.nbytes for t in step.parcel.tensors):
            ended[key] = "sent"

    for turn in range(600):
        now += rng.choice([0, ns(0.001), ns(0.02), ns(1.0)])
        match rng.randrange(10):
            case 0 | 1 | 2:
                sizes = [rng.choice([0, 1, 9_000, 70_000, MIB]) for _ in range(rng.randint(1, 4))]
                one = parcel(*sizes, due=rng.choice([None, now + ns(0.05), now + ns(2.0)]), tag=turn,
                             head_bytes=rng.choice([0, 0, 9_000, 900_000]))
                if out.put(one):
                    taken[turn] = one
            case 3 | 4 | 5 | 6 if out.number:
                answered = rng.randint(answered, out.number)
                told(out, answered, now, held_s=rng.choice([0.0, 0.001, 99.0]))
            case 7:
                out.listen(now)
            case 8 if taken:
                victim = rng.choice(list(taken))
                do([*(out.cancel(victim) if rng.random() < 0.5 else out.refused(taken[victim].transfer))])
            case 9 if rng.random() < 0.1:
                do(list(out.unreachable()))
            case _:
                pass
        before, flew = out.in_flight_bytes, out.number
        steps = pump(out, now)
        do(steps)
        sent = [s for s in steps if isinstance(s, SendWhole | SendChunk)]
        assert [s.number for s in sent] == list(range(flew + 1, out.number + 1))
        assert out.in_flight_bytes >= 0
        assert out.in_flight_bytes <= out.window_bytes or out.in_flight_bytes == before or len(sent) == 1
        assert out.statistics().waiting_bytes == sum(p.size for key, p in taken.items() if key not in ended)
    for _ in range(10_000):
        if not out.statistics().waiting:
            break
        now += ns(0.01)
        told(out, out.number, now)
        do(pump(out, now))
    assert ended.keys() == taken.keys()
