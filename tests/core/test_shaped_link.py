"""Arrivals over a shaped link, computed by hand: rate, order, delay, traces over their loop, losses, seeds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.policy.shaped_link import Links, ShapedLink
from swarm.core.policy.trace import PacketTrace, RateTrace, Trace
from swarm.core.settings.links import LinkSpec
from swarm.core.units import ns

BYTE_PER_US = RateTrace.of([(0.0, 8.0)])             # 8 Mbit/s
HALVED = RateTrace.of([(5.0, 8.0), (6.0, 4.0)])      # a million bytes in the first second, half of it in the second
OUTAGE = RateTrace.of([(0.0, 8.0), (1.0, 0.0)])
PACKETS = PacketTrace.of([10, 10, 30])


class Told(random.Random):
    """A generator that gives these numbers."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(0)
        self._numbers = list(numbers)

    def random(self) -> float:
        return self._numbers.pop(0)


def arrivals_s(trace: Trace | None, *messages: tuple[float, int], **shape: float) -> list[float]:
    """When messages arrive that are sent at these seconds, with these sizes. The trace begins at 0."""
    link = ShapedLink(trace, delay_ns=ns(shape.get("delay_s", 0.0)), scale=shape.get("scale", 1.0))
    link._zero_ns = 0
    return [link.arrives_ns(size, ns(at_s)) / 1e9 for at_s, size in messages]


@pytest.mark.parametrize(("trace", "messages", "arrive_s"), [
    pytest.param(BYTE_PER_US, [(0, 1000), (0.0005, 500), (0.01, 200)], [0.001, 0.0015, 0.0102], id="one after another"),
    pytest.param(None, [(0, 10**9), (0.5, 1)], [0, 0.5], id="any rate"),
    pytest.param(HALVED, [(0, 1_250_000), (0, 500_000)], [1.5, 2.25], id="over the loop"),
    pytest.param(HALVED, [(0, 10), (3, 250_000)], [0.00001, 3.5], id="after a rest"),
    pytest.param(HALVED, [(0, 15_000_000)], [20], id="ten loops"),
    pytest.param(OUTAGE, [(0, 1_000_000), (1, 1), (1.5, 9)], [1, 2.000001, 2.00001], id="an outage"),
    pytest.param(PACKETS, [(0, 1500), (0, 1500), (0, 1500), (0, 1500)], [0.01, 0.01, 0.03, 0.04], id="packets"),
    pytest.param(PACKETS, [(0, 700), (0, 800), (0, 700)], [0.01, 0.01, 0.01], id="messages share a packet"),
    pytest.param(PACKETS, [(0, 6000)], [0.04], id="a message of four packets"),
    pytest.param(PACKETS, [(0.01, 1), (0.011, 3), (0.03, 1500)], [0.01, 0.03, 0.04], id="what is not used is gone"),
    pytest.param(PACKETS, [(0.09, 1), (0.091, 1)], [0.09, 0.1], id="packets of later loops"),
])
def test_when_messages_arrive(
    trace: Trace | None, messages: Sequence[tuple[float, int]], arrive_s: list[float]
) -> None:
    assert arrivals_s(trace, *messages) == pytest.approx(arrive_s, abs=2e-9)
    delayed = arrivals_s(trace, *messages, delay_s=0.02)
    assert delayed == pytest.approx([s + 0.02 for s in arrive_s], abs=2e-9)


def test_a_scale_is_a_factor_of_the_rate() -> None:
    assert arrivals_s(HALVED, (0, 500_000), (0, 500_000), scale=0.5) == pytest.approx([1, 2.5], abs=2e-9)
    assert arrivals_s(PACKETS, (0, 3000), (0, 3000), scale=2.0) == [0.01, 0.01]


def test_a_trace_begins_with_the_first_message_where_it_is_told_to() -> None:
    link = ShapedLink(HALVED, from_ns=ns(1.0))
    assert link.arrives_ns(250_000, ns(70.0)) == ns(70.5)
    assert link.arrives_ns(1_000_000, ns(71.0)) == ns(72.0)


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**5)), max_size=30), st.sampled_from(
    [BYTE_PER_US, HALVED, OUTAGE, PACKETS, RateTrace.of([(0, 0), (0.3, 1.7), (0.4, 0), (0.5, 0)])]), st.floats(0.1, 9))
def test_messages_leave_in_order_and_no_faster_than_the_trace_carries(
    sent: list[tuple[int, int]], trace: Trace, scale: float
) -> None:
    link, now, before, carried = ShapedLink(trace, scale=scale), 0, 0, 0.0
    for pause_ns, size in sent:
        now += pause_ns
        arrives_ns = link.arrives_ns(size, now)
        assert arrives_ns >= max(now, before)
        before, carried = arrives_ns, carried + size
        assert carried <= scale * trace.carried(arrives_ns + 2) + 1


def test_a_lost_packet_takes_the_rate_again_and_a_round_trip_for_each_round() -> None:
    def arrives_s(size: int, *draws: float) -> float:
        link = ShapedLink(BYTE_PER_US, delay_ns=ns(0.01), loss=0.5, losses=Told(*draws))
        return link.arrives_ns(size, 0) / 1e9

    assert arrives_s(3000, 0.5, 0.9) == pytest.approx(0.003 + 0.01)
    assert arrives_s(3000, 0.9, 0.4, 0.9) == pytest.approx(0.0045 + 0.01 + 0.02)
    assert arrives_s(3000, 0.1, 0.1, 0.1, 0.9, 0.1, 0.9) == pytest.approx(0.003 + 0.003 + 0.0015 + 0.0015 + 0.01 + 0.06)
    assert arrives_s(200, 0.1, 0.9) == pytest.approx(0.0004 + 0.01 + 0.02)


def test_as_many_packets_are_lost_as_the_share_says() -> None:
    link = ShapedLink(None, delay_ns=1, loss=0.1, losses=random.Random(3))
    rounds = [(link.arrives_ns(1400, 0) - 1) // 2 for _ in range(20_000)]
    assert sum(n >= 1 for n in rounds) == pytest.approx(2000, abs=150)       # 3.5 standard deviations
    assert sum(n >= 2 for n in rounds) == pytest.approx(200, abs=50)
    large = [(link.arrives_ns(15_000, 0) - 1) // 2 for _ in range(2000)]
    assert sum(n >= 1 for n in large) == pytest.approx(2000 * (1 - 0.9**10), abs=75)


# --- from settings ---


def one_way(spec: LinkSpec, sender: str = "rover_0", to: str = "carrier_1", seed: int = 1) -> list[int]:
    """Arrivals of a message each 10 ms."""
    links = Links({"carrier:rover": spec}, {"t": HALVED}, seed)
    link = links.one_way(sender, to)
    assert link is not None
    return [link.arrives_ns(1500, ns(0.01 * i)) - ns(0.01 * i) for i in range(300)]


def test_constants_of_the_settings() -> None:
    assert set(one_way(LinkSpec(rate_mbps=12.0, delay_ms=5.0))) == {ns(0.001) + ns(0.005)}
    assert set(one_way(LinkSpec(delay_ms=2.5))) == {ns(0.0025)}


def test_the_seed_draws_the_losses_of_each_direction() -> None:
    lossy = LinkSpec(delay_ms=1.0, loss=0.3)
    once = one_way(lossy)
    assert once == one_way(lossy)
    others = [one_way(lossy, seed=2), one_way(lossy, "carrier_1", "rover_0"), one_way(lossy, to="carrier_0")]
    assert all(other != once for other in others)


def test_the_seed_draws_begin_and_scale_of_a_trace_alike_for_both_directions() -> None:
    assert set(one_way(LinkSpec(trace="t"))) <= {*range(ns(0.0015) - 2, ns(0.003) + 3)}
    once = one_way(LinkSpec(trace="t"))
    assert once == one_way(LinkSpec(trace="t"), "carrier_1", "rover_0")
    assert once != one_way(LinkSpec(trace="t"), seed=2)
    assert once != one_way(LinkSpec(trace="t"), to="carrier_0")
    scaled = [one_way(LinkSpec(trace="t", scale=(0.5, 2.0)), to=f"carrier_{i}") for i in range(20)]
    fastest_ns = [min(arrivals) for arrivals in scaled]
    assert min(fastest_ns) >= ns(0.00075) - 2
    assert max(fastest_ns) <= ns(0.003) + 2
    assert len({round(n, -3) for n in fastest_ns}) > 10
    assert one_way(LinkSpec(trace="t", scale=(2.0, 2.0))) == [
        pytest.approx(n / 2, abs=2) for n in once]


def test_only_named_pairs_have_a_link() -> None:
    links = Links({"carrier:rover": LinkSpec()}, {}, 0)
    for sender, to in (("rover_0", "rover_1"), ("rover_0", "planner"), ("world", "carrier_0"), ("launcher", "rover_0")):
        assert links.one_way(sender, to) is None


def test_links_that_share_airtime_take_turns_each_at_its_own_rate() -> None:
    spec = LinkSpec(rate_mbps=8.0, delay_ms=20.0, airtime="hall")        # a byte per microsecond
    far = LinkSpec(rate_mbps=4.0, delay_ms=20.0, airtime="hall")
    links = Links({"rover:carrier": spec, "rover:rover": far, "carrier:carrier": LinkSpec(rate_mbps=8.0)}, {}, seed=1)
    there, back, aside, apart = (cast(ShapedLink, links.one_way(*pair)) for pair in (
        ("rover_0", "carrier_0"), ("carrier_0", "rover_1"), ("rover_0", "rover_1"), ("carrier_0", "carrier_1")))
    assert there.arrives_ns(10_000, 0) == ns(0.010 + 0.020)
    assert back.arrives_ns(10_000, ns(0.005)) == ns(0.020 + 0.020)       # waits for the first
    assert aside.arrives_ns(10_000, ns(0.006)) == ns(0.040 + 0.020)      # waits for both, and is slower
    assert apart.arrives_ns(10_000, ns(0.007)) == ns(0.017)
    assert there.arrives_ns(10_000, ns(0.100)) == ns(0.110 + 0.020)      # idle airtime is gone
