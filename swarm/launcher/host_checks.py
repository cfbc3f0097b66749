"""What a run needs of this host, checked before anything is started."""

from __future__ import annotations

import os
import re
import socket

from swarm.core.settings.errors import BadInput

LOOPBACK = "127.0.0.1"
CONNECT_S = 5.0
X_PORT, X_SOCKET = 6000, "/tmp/.X11-unix/X{}"        # of display 0, and of the display of a number: see X(7)
CORES_PER_ROBOT = 0.23               # of speed 1; with its part of world, planner and Ray in search_rescue, measured
LEAST_ROBOTS = 3                     # of a swarm that is worth a look


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def bearable_robots(wanted: int, cores_of_speed_1: float) -> int:
    """How many robots a host bears: as many as are wanted, or fewer, but never fewer than `LEAST_ROBOTS`."""
    return min(wanted, max(LEAST_ROBOTS, int(cores_of_speed_1 / CORES_PER_ROBOT)))


def check_display(where: str, display: str) -> None:
    """display: that of the X server, [HOST]:NUMBER[.SCREEN], as in the variable DISPLAY.

    Raises: BadInput if there is none. Without this check PyBullet would end the process that asks for a window.
    """
    want = "a desktop, or `xvfb-run swarm ...`"
    match = re.fullmatch(r"(?:unix|([^/:]*)):(\d{1,4})(?:\.\d+)?", display)
    if match is None:
        raise BadInput(where, f"DISPLAY is {display!r}" if display else "there is no display: DISPLAY is not set", want)
    host, number = match[1], int(match[2])
    try:
        if host:
            socket.create_connection((host, X_PORT + number), CONNECT_S).close()
        else:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(X_SOCKET.format(number))
    except OSError as error:
        raise BadInput(where, f"the display {display} cannot be reached: {error.strerror or error}", want) from None


def check_loopback(host: str = LOOPBACK) -> None:
    """Raises: BadInput if processes cannot reach each other on this host."""
    try:
        with socket.create_server((host, 0)) as server, socket.create_connection(server.getsockname(), CONNECT_S):
            pass
    except OSError as error:
        raise BadInput("loopback", f"processes on this host cannot connect to each other: {error.strerror or error}",
                       "the interface lo must be up: ip link set lo up") from None
