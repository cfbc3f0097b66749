"""What receipts and their absence do to a bulk queue and its link, in fake time."""

from __future__ import annotations

import pytest

from swarm.core.policy.link import LinkEstimator
from swarm.core.protocol.wire import WireError
from swarm.core.units import ns
from swarm.transport.bulk.sender import Outgoing
from swarm.transport.bulk.steps import SendChunk
from tests.transport.queues import KIB, MIB, measured, next_steps, put, queue, queued, told

# --- receipts ---


def test_a_receipt_is_for_all_up_to_it_and_a_second_one_changes_nothing() -> None:
    out = queue(6.25e6)
    put(out, *(queued(10_000) for _ in range(4)))
    next_steps(out)
    told(out, 3, 100)
    assert out.window.in_flight_bytes == 10_000
    before = out.window._link.quality
    told(out, 3, 200)
    told(out, 1, 300)
    assert (out.window.in_flight_bytes, out.window._link.quality) == (10_000, before)


@pytest.mark.parametrize(("number", "lost"), [(3, 0), (2**62, 0), (1, 2), (2, 2**62)])
def test_a_receipt_for_what_was_never_sent_is_refused_and_changes_nothing(number: int, lost: int) -> None:
    out = queue(6.25e6)
    put(out, queued(10_000), queued(10_000))
    next_steps(out)
    before = out.statistics(), out.window._link.quality
    with pytest.raises(WireError) as refused:
        told(out, number, lost=lost)
    assert refused.value.cause == "receipt"
    assert (out.statistics(), out.window._link.quality) == before


def test_what_the_peer_never_got_counts_as_loss_once() -> None:
    out = Outgoing(LinkEstimator())
    put(out, *(queued(1) for _ in range(10)))
    next_steps(out)
    told(out, 5, lost=2)
    loss = out.window._link.quality.loss
    assert loss == pytest.approx(1 - (15 / 16) ** 2)
    told(out, 10, lost=2)
    assert (out.window._link.quality.loss, out.statistics().lost) == (loss, 2)


@pytest.mark.parametrize("held_s", [0.0, 1.0, 1e7])
def test_what_a_peer_says_it_held_a_receipt_leaves_the_estimates_sane(held_s: float) -> None:
    out = Outgoing(LinkEstimator())
    for size in (1, 20_000, MIB):
        put(out, queued(size))
        next_steps(out)
        told(out, out.window.number, ns(0.001), held_s)
    quality = out.window._link.quality
    assert 0 < quality.bytes_per_s <= 1.25e10
    assert quality.clear_s >= 0
    assert 16 * KIB <= out.window.bytes <= 8 * MIB


def test_a_clock_that_leaps_costs_one_sample() -> None:
    link = measured(6.25e6)
    for _ in range(7):
        link.delivered(1000, 1000 / 6.25e6)
    out = Outgoing(link)
    put(out, queued(20_000), queued(20_000))
    next_steps(out)
    told(out, 2, ns(3600.0))
    assert out.window._link.quality.bytes_per_s == pytest.approx(6.25e6 * 7 / 8, rel=0.01)
    assert out.window.bytes > 50_000


def test_the_first_message_measures_the_rate_without_the_round_trip_that_heartbeats_know() -> None:
    link = LinkEstimator()
    for _ in range(20):
        link.round_trip(0.080)
    out = Outgoing(link)
    put(out, queued(20_000))
    next_steps(out)
    told(out, 1, ns(0.120))
    assert link.quality.bytes_per_s == pytest.approx(20_000 / 0.040, rel=0.1)


def test_a_first_rate_that_was_wrong_is_soon_forgotten() -> None:
    link = LinkEstimator()
    link.delivered(20_000, 0.120)                                # no round trip was known yet
    for _ in range(3):
        link.delivered(20_000, 0.040)
    assert link.quality.bytes_per_s == pytest.approx((20_000 / 0.120 + 3 * 20_000 / 0.040) / 4)


# --- silence ---


def test_silence_makes_the_window_small_and_receipts_make_it_large_again() -> None:
    out = queue(100e6)
    wide = out.window.bytes
    put(out, queued(4 * MIB))
    next_steps(out)
    out.window.check_silence(ns(0.9))
    assert out.statistics().silences == 0
    out.window.check_silence(ns(1.1))
    assert (out.statistics().silences, out.window.bytes, out.window.in_flight_bytes) == (1, 16 * KIB, 0)
    at = 1.1
    for doubled in (2.0, 4.0, 8.0, 8.0):                     # and then it is as patient again
        (chunk, *_) = next_steps(out, ns(at))
        assert isinstance(chunk, SendChunk)
        out.window.check_silence(ns(at + 0.9 * doubled))
        before = out.statistics().silences
        out.window.check_silence(ns(at + 1.1 * doubled))
        assert out.statistics().silences == before + 1
        at += 1.1 * doubled
    while out.window.bytes < wide / 2:
        before = out.window.bytes
        next_steps(out, ns(at))
        at += 0.0005
        told(out, out.window.number, ns(at))
        assert out.window.bytes <= max(2 * before, before + MIB)
    assert out.statistics().silences == 5


def test_a_peer_that_never_reads_is_sent_little() -> None:
    """Within two minutes: what was in flight at first, then a small window for each silence."""
    out, sent, at = queue(100e6), 0, 0.0
    put(out, queued(16 * MIB))
    while at < 120.0:
        sent += sum(s.end - s.offset for s in next_steps(out, ns(at)) if isinstance(s, SendChunk))
        out.window.check_silence(ns(at))
        at += 0.25
    assert sent < 2 * MIB
    assert out.statistics().silences < 20


def test_nothing_is_missed_where_nothing_flies() -> None:
    out = queue(1e6)
    out.window.check_silence(ns(3600.0))
    assert out.statistics().silences == 0
    put(out, queued(20_000))
    next_steps(out, ns(3600.0))
    out.window.check_silence(ns(3600.5))                                   # the time before it was sent was no silence
    assert out.statistics().silences == 0
