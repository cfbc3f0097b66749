"""What encryption costs is measured, and adds up."""

from __future__ import annotations

import pytest

from swarm.net.security.curve_cost import CurveCost, curve_cost


def test_encryption_costs_something() -> None:
    cost = curve_cost()                  # which of the two it falls to is the host's noise
    assert cost.us_per_message >= 0.0
    assert cost.cpu_s(100, 100 * 2**16) > 0.0


def test_a_runs_cost_is_that_of_its_messages_and_bytes() -> None:
    assert CurveCost(us_per_message=10.0, ns_per_byte=2.0).cpu_s(1000, 10**6) == pytest.approx(0.012)
