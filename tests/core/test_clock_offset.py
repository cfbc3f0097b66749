"""When readings fell due, on our own clock."""

from __future__ import annotations

import pytest

from swarm.core.policy.clock_offset import ClockOffset
from swarm.core.units import ns, seconds

OFFSET_S = 1000.0                    # our clock shows so much more than the body's
TRANSPORT_S = 0.0005


def age_s(clock: ClockOffset, at_s: float, delay_s: float, latency_s: float = 0.0) -> float:
    """The age of readings that fell due at `at_s`, and waited for `delay_s` beside the transport."""
    received_ns = ns(at_s + OFFSET_S + TRANSPORT_S + latency_s + delay_s)
    return seconds(received_ns - clock.own_ns(at_s, latency_s, received_ns))


def test_a_message_that_waited_is_as_old_as_it_waited() -> None:
    clock = ClockOffset()
    assert age_s(clock, 1.0, 0.0) == pytest.approx(0.0)      # transport itself cannot be told from the offset
    assert age_s(clock, 1.2, 0.004) == pytest.approx(0.004)
    assert age_s(clock, 1.4, 4.0) == pytest.approx(4.0)      # we did not read for 4 s
    assert age_s(clock, 5.6, 0.0) == pytest.approx(0.0)


def test_the_latency_of_the_sensors_is_part_of_the_age() -> None:
    clock = ClockOffset()
    assert age_s(clock, 1.0, 0.0, latency_s=0.03) == pytest.approx(0.03)
    assert age_s(clock, 1.1, 0.0, latency_s=0.01) == pytest.approx(0.01)


def test_clocks_may_drift_apart_slowly() -> None:
    """The body's clock is slow by 100 ppm: a minute later, all that was learned before is forgotten."""
    clock = ClockOffset()
    for k in range(600):
        age_s(clock, 0.1 * k, 0.1 * k * 100e-6)
    assert age_s(clock, 60.0, 60.0 * 100e-6) < 0.0025


def test_a_long_pause_does_not_make_old_messages_young() -> None:
    clock = ClockOffset()
    age_s(clock, 1.0, 0.0)
    assert age_s(clock, 1.2, 12.0) == pytest.approx(12.0)
    assert age_s(clock, 13.4, 0.0) == pytest.approx(0.0)
