"""What a run needs of this host."""

from __future__ import annotations

import pytest

from swarm.core.settings.errors import BadInput
from swarm.launcher import host_checks


def test_the_loopback_of_this_host_is_up() -> None:
    host_checks.check_loopback()


def test_a_loopback_that_is_down_is_said_in_one_line() -> None:
    with pytest.raises(BadInput, match=r"loopback: processes on this host cannot connect to each other: .+; the "):
        host_checks.check_loopback("192.0.2.1")              # an address of no machine


@pytest.mark.parametrize(("wanted", "cores", "robots"), [
    (5, 2.0, 5),                                         # the launch file's fleet, on two cores as fast as the cards'
    (5, 0.95, 4),
    (5, 0.1, 3),                                         # never fewer
    (2, 0.1, 2),                                         # unless no more are wanted
])
def test_host_bears_so_many_robots(wanted: int, cores: float, robots: int) -> None:
    assert host_checks.bearable_robots(wanted, cores) == robots
