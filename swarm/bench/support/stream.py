"""A plain TCP stream as a reference: `python -m swarm.bench.support.stream sink|source ADDRESS [PORT]`.

The sink listens and reports its port. It reports the rate when the source has filled the link for a while.
"""

from __future__ import annotations

import socket
import sys

import msgspec

from swarm.bench.support.peer import end_with_parent, send_to_parent
from swarm.core.clock import MonotonicClock
from swarm.core.units import ns, seconds

SETTLE_NS = ns(0.5)                  # not measured: the queues fill
MEASURE_NS = ns(2.0)
PIECE_BYTES = 1 << 16


class Port(msgspec.Struct, frozen=True):
    """The port of the sink."""

    port: int


class Rate(msgspec.Struct, frozen=True):
    """The received rate."""

    bytes_per_s: float


def sink(address: str) -> None:
    clock = MonotonicClock()
    with socket.create_server((address, 0)) as server:
        send_to_parent(Port(server.getsockname()[1]))
        end_with_parent()
        connection, _ = server.accept()
    buffer = bytearray(PIECE_BYTES)
    with connection:
        connection.recv_into(buffer)
        settled_ns = clock.now_ns() + SETTLE_NS
        while clock.now_ns() < settled_ns:
            connection.recv_into(buffer)
        began_ns, received = clock.now_ns(), 0
        while (now := clock.now_ns()) < began_ns + MEASURE_NS:
            received += connection.recv_into(buffer)
    send_to_parent(Rate(received / seconds(now - began_ns)))


def source(address: str, port: int) -> None:
    end_with_parent()
    piece = bytes(PIECE_BYTES)
    with socket.create_connection((address, port)) as connection:
        try:
            while True:
                connection.sendall(piece)
        except ConnectionError:
            return                                           # the sink has finished its measurement


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        sink(sys.argv[2])
    else:
        source(sys.argv[2], int(sys.argv[3]))
