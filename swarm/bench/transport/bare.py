"""Plain ZeroMQ: the reference for the endpoint.

DEALER to ROUTER and back, one poller on each side, a request of one frame and a small reply. Frames are sent and
received one by one, and copied where copying is faster. This is the fastest use of pyzmq that blocks when idle.
"""

from __future__ import annotations

import collections
from typing import Any

import zmq

from swarm.core.ports import Clock

SEND_COPY_BYTES = 256 << 10          # measured: up to this size, a copy is faster than lending the buffer
TAKE_COPY_BYTES = 64 << 10           # measured: below this size, a copy is faster than a frame object
REPLY = bytes(128)
LIMIT_MS = 20_000


class BareEcho:
    """Answers every request of `payload_bytes` with the same small reply."""

    def __init__(self, payload_bytes: int) -> None:
        self._copy = payload_bytes < TAKE_COPY_BYTES
        self._socket: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.bind("tcp://127.0.0.1:*")
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def run(self) -> None:
        """Serve forever."""
        socket, copy = self._socket, self._copy
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        while True:
            poller.poll()
            identity = socket.recv()
            socket.recv(copy=copy)
            socket.send(identity, zmq.SNDMORE)
            socket.send(REPLY)


class BareClient:
    """Sends requests to a `BareEcho`."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._clock = clock
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.connect(address)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)

    def round_trips(self, payload: bytes, count: int, window: int) -> list[int]:
        """Nanoseconds of each of `count` round trips, with up to `window` requests in flight.

        Raises: TimeoutError after 20 s without an answer.
        """
        now, socket, copy = self._clock.now_ns, self._socket, len(payload) <= SEND_COPY_BYTES
        sent_ns: collections.deque[int] = collections.deque()
        took_ns: list[int] = []
        left = count
        while len(took_ns) < count:
            while left and len(sent_ns) < window:
                sent_ns.append(now())
                socket.send(payload, copy=copy)
                left -= 1
            if not self._poller.poll(LIMIT_MS):
                raise TimeoutError(f"no answer from the bare echo within {LIMIT_MS / 1e3:g} s")
            socket.recv()
            took_ns.append(now() - sent_ns.popleft())
        return took_ns

    def close(self) -> None:
        self._context.destroy(linger=0)
