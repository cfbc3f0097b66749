"""What a run needs of this host, checked before anything is started."""

from __future__ import annotations

import os
import socket

from swarm.core.settings.errors import BadInput

LOOPBACK = "127.0.0.1"
CONNECT_S = 5.0
CORES_PER_ROBOT = 0.23               # of speed 1; with its part of world, planner and Ray in search_rescue, measured
LEAST_ROBOTS = 3                     # of a swarm that is worth a look


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def bearable_robots(wanted: int, cores_of_speed_1: float) -> int:
    """How many robots a host bears: as many as are wanted, or fewer, but never fewer than `LEAST_ROBOTS`."""
    return min(wanted, max(LEAST_ROBOTS, int(cores_of_speed_1 / CORES_PER_ROBOT)))


def check_loopback(host: str = LOOPBACK) -> None:
    """Raises: BadInput if processes cannot reach each other on this host."""
    try:
        with socket.create_server((host, 0)) as server, socket.create_connection(server.getsockname(), CONNECT_S):
            pass
    except OSError as error:
        raise BadInput("loopback", f"processes on this host cannot connect to each other: {error.strerror or error}",
                       "the interface lo must be up: ip link set lo up") from None
