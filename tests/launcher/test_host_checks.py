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
