"""Links measured in passing, in fake time: heartbeats, their answers, and what a lie or a leap of the clock does."""

from __future__ import annotations

import pytest

from swarm.core.policy.link import CLEAR_TRIPS, UNMEASURED_BYTES_PER_S, LinkEstimator, LinkQuality
from swarm.core.units import ns
from swarm.membership.probes import LOST_NS, MOST_IN_FLIGHT, Probes
from tests.transport.fakelink import FakeLink


def test_an_answered_probe_is_a_round_trip_less_what_the_peer_held_it() -> None:
    link = LinkEstimator()
    probes = Probes(link)
    probes.on_sent(1, 0)
    probes.on_answer(1, 0.004, ns(0.010))
    assert link.quality.rtt_s == pytest.approx(0.006)
    assert (link.quality.samples, link.quality.loss) == (1, 0.0)


@pytest.mark.parametrize("held_s", [0.011, 1.0, 1e7])
def test_a_peer_cannot_hold_longer_than_there_was_time(held_s: float) -> None:
    link = LinkEstimator()
    probes = Probes(link)
    probes.on_sent(1, 0)
    probes.on_answer(1, held_s, ns(0.010))
    assert link.quality.rtt_s == 0.0


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    link = LinkEstimator()
    probes = Probes(link)
    probes.on_sent(1, 0)
    probes.on_answer(1, 0.0, ns(0.010))
    before = link.quality
    for sequence in (1, 2, 2**62):
        probes.on_answer(sequence, 0.0, ns(0.020))
    assert link.quality == before


def test_what_is_not_answered_is_lost_when_the_next_probe_leaves() -> None:
    link = LinkEstimator()
    probes = Probes(link)
    probes.on_sent(1, 0)
    probes.on_sent(2, LOST_NS)
    assert link.quality.loss == 0.0
    probes.on_sent(3, LOST_NS + 1)
    assert link.quality.loss == pytest.approx(1 / 16)


@pytest.mark.parametrize("leap_s", [1.1, 3600.0])
def test_an_answer_after_a_leap_of_the_clock_is_a_lost_probe_and_no_round_trip(leap_s: float) -> None:
    link = LinkEstimator()
    probes = Probes(link)
    probes.on_sent(1, 0)
    probes.on_answer(1, 0.0, ns(0.002))
    probes.on_sent(2, ns(0.1))
    probes.on_answer(2, 0.0, ns(0.1 + leap_s))
    assert link.quality.rtt_s == pytest.approx(0.002)
    assert (link.quality.samples, link.quality.loss) == (1, pytest.approx(1 / 16))


def test_probes_that_are_awaited_are_bounded() -> None:
    link = LinkEstimator()
    probes = Probes(link)
    for sequence in range(10 * MOST_IN_FLIGHT):
        probes.on_sent(sequence, sequence)
    assert len(probes._in_flight) == MOST_IN_FLIGHT
    for sequence in range(9 * MOST_IN_FLIGHT, 10 * MOST_IN_FLIGHT):
        probes.on_answer(sequence, 0.0, ns(0.5))              # the newest are still awaited
    assert link.quality.samples == MOST_IN_FLIGHT


def test_of_too_many_probes_only_the_oldest_is_lost() -> None:
    link = LinkEstimator()
    probes = Probes(link)
    for sequence in range(MOST_IN_FLIGHT + 1):
        probes.on_sent(sequence, sequence)
    assert link.quality.loss == pytest.approx(1 / 16)
    before = link.quality
    probes.on_answer(0, 0.0, ns(0.1))
    assert link.quality == before
    probes.on_answer(1, 0.0, ns(0.1))
    assert link.quality.samples == 1


def test_estimates_settle_within_their_spread() -> None:
    estimator = LinkEstimator()
    for i in range(200):
        estimator.round_trip(0.010 + 0.002 * (-1) ** i)
        estimator.delivered(100_000, 0.1 * (1 + 0.2 * (-1) ** i))
    quality = estimator.quality
    assert quality.rtt_s == pytest.approx(0.010, rel=0.05)
    assert quality.rtt_spread_s == pytest.approx(0.002, rel=0.2)
    assert quality.bytes_per_s == pytest.approx(1.04e6, rel=0.05)
    assert quality.bytes_per_s_spread == pytest.approx(0.2e6, rel=0.25)


def test_the_empty_path_is_the_least_of_the_last_few() -> None:
    estimator = LinkEstimator()
    for trip_s in (0.030, 0.010, *[0.020] * (CLEAR_TRIPS - 1)):
        estimator.clear_trip(trip_s)
    assert estimator.quality.clear_s == 0.010
    estimator.clear_trip(0.025)
    assert estimator.quality.clear_s == 0.020                # a path that has become longer is believed in the end


def test_a_slow_link_that_carries_small_messages_alone_has_a_rate() -> None:
    estimator = LinkEstimator()
    estimator.clear_trip(0.048, 4000)
    assert estimator.quality.bytes_per_s == UNMEASURED_BYTES_PER_S       # no round trip to subtract yet
    estimator.round_trip(0.040)
    for trip_s in (0.050, 0.048, 0.060):
        estimator.clear_trip(trip_s, 4000)
    assert estimator.quality.bytes_per_s == pytest.approx(4000 / 0.008)  # 4 Mbit/s, of the fastest
    assert estimator.quality.rate_samples == 0
    estimator.delivered(100_000, 0.1)
    estimator.clear_trip(0.048, 4000)
    assert estimator.quality.bytes_per_s == 1e6                          # a larger one knows it better


def test_small_messages_say_nothing_of_a_fast_link() -> None:
    estimator = LinkEstimator()
    estimator.round_trip(0.001)
    for trip_s in (0.0013, *[0.020] * (CLEAR_TRIPS - 1)):                # the host was busy, most of the time
        estimator.clear_trip(trip_s, 4000)
    assert estimator.quality.bytes_per_s == UNMEASURED_BYTES_PER_S


def test_before_anything_was_measured_there_is_a_guess() -> None:
    assert LinkEstimator().quality == LinkQuality()
    assert LinkQuality().transfer_s(12_500_000) == pytest.approx(1.002)


# --- the window on a link, in the long run ---

MBIT = 125_000.0
LINKS = [(50 * MBIT, 0.0002, 32 << 10), (50 * MBIT, 0.001, 0), (50 * MBIT, 0.020, 0), (50 * MBIT, 0.020, 32 << 10),
         (5 * MBIT, 0.020, 0), (1000 * MBIT, 0.001, 0)]


@pytest.mark.parametrize("beats", [0, 10])
@pytest.mark.parametrize(("bytes_per_s", "rtt_s", "burst_bytes"), LINKS)
def test_a_saturated_link_is_used_and_measured_and_urgent_messages_wait_little(
    bytes_per_s: float, rtt_s: float, burst_bytes: int, beats: float
) -> None:
    """The window is checked at every step by the fake link; heartbeats share the link with bulk."""
    net = FakeLink(bytes_per_s, rtt_s, beats=beats, burst_bytes=burst_bytes)
    net.run(1.0)
    net.beat_waits_s.clear()
    for _ in range(3):                                       # over and over: an estimate may also drift
        assert net.run(2.0) >= 0.9
        assert net.link.quality.bytes_per_s == pytest.approx(bytes_per_s, rel=0.15)
    behind_s = sorted(wait - rtt_s for wait in net.beat_waits_s)
    least_s = 16_384 / bytes_per_s                           # the smallest window there is
    assert all(wait < 0.025 + least_s for wait in behind_s[:-1])
    assert not behind_s or behind_s[len(behind_s) // 2] < 0.0165 + least_s
    assert net.out.statistics().silences == 0


@pytest.mark.parametrize(("rtt_s", "message_bytes"), [(0.001, 4 << 20), (0.020, 4 << 20), (0.001, 100_000)])
def test_a_link_that_becomes_ten_times_slower_and_fast_again_is_followed(rtt_s: float, message_bytes: int) -> None:
    net = FakeLink(50 * MBIT, rtt_s, message_bytes=message_bytes)
    net.run(2.0)
    wide = net.out.window.bytes
    net.bytes_per_s /= 10
    net.run(1.5)
    assert net.link.quality.bytes_per_s == pytest.approx(5 * MBIT, rel=0.15)
    assert net.out.window.bytes < wide / 3
    net.bytes_per_s *= 10
    net.run(1.0)
    assert net.run(1.0) >= 0.9
    assert net.link.quality.bytes_per_s == pytest.approx(50 * MBIT, rel=0.15)
    assert net.out.statistics().silences == 0


def test_a_path_that_becomes_longer_is_used_again_after_a_while() -> None:
    net = FakeLink(50 * MBIT, 0.001)
    net.run(2.0)
    net.rtt_s = 0.030
    net.run(30.0)
    assert net.run(2.0) >= 0.9
