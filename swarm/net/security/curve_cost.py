"""Measures the cost of encryption on this machine: the same messages with CURVE and without, between two sockets."""

from __future__ import annotations

import resource

import msgspec
import zmq

SMALL, LARGE = (1 << 10, 200), (64 << 10, 100)       # bytes of a message, and number of messages
ROUNDS = 3                           # the cheapest of them counts
LIMIT_MS = 5_000


class CurveCost(msgspec.Struct, frozen=True):
    """CPU time that CURVE adds, for sender and receiver together."""

    us_per_message: float
    ns_per_byte: float

    def cpu_s(self, messages: int, size_bytes: int) -> float:
        """CPU time of this many messages with this many bytes in total."""
        return messages * self.us_per_message * 1e-6 + size_bytes * self.ns_per_byte * 1e-9


def curve_cost() -> CurveCost:
    """Measure it, in about 0.1 s. Raises: TimeoutError if the loopback does not deliver a message."""
    added_us: list[float] = []
    for size, count in (SMALL, LARGE):
        plain = min(_cpu_us(size, count, curve=False) for _ in range(ROUNDS))
        added_us.append(max(0.0, min(_cpu_us(size, count, curve=True) for _ in range(ROUNDS)) - plain))
    per_byte_us = max(0.0, added_us[1] - added_us[0]) / (LARGE[0] - SMALL[0])
    return CurveCost(round(max(0.0, added_us[0] - SMALL[0] * per_byte_us), 2), round(per_byte_us * 1e3, 3))


def _cpu_us(size: int, count: int, curve: bool) -> float:
    """CPU time per message of this process in microseconds, with ZeroMQ's own threads."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    receiver, sender = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    try:
        if curve:
            public, secret = zmq.curve_keypair()
            receiver.setsockopt(zmq.CURVE_SERVER, 1)
            receiver.setsockopt(zmq.CURVE_SECRETKEY, secret)
            for option, key in ((zmq.CURVE_SERVERKEY, public), (zmq.CURVE_PUBLICKEY, public),
                                (zmq.CURVE_SECRETKEY, secret)):
                sender.setsockopt(option, key)
        receiver.bind("tcp://127.0.0.1:*")
        sender.connect(receiver.getsockopt_string(zmq.LAST_ENDPOINT))
        payload = bytes(size)
        _deliver(sender, receiver, payload)          # establishes the connection
        before_s = _cpu_s()
        for _ in range(count):
            _deliver(sender, receiver, payload)
        return (_cpu_s() - before_s) * 1e6 / count
    finally:
        context.destroy(linger=0)


def _deliver(sender: zmq.Socket[bytes], receiver: zmq.Socket[bytes], payload: bytes) -> None:
    sender.send(payload)
    if not receiver.poll(LIMIT_MS):
        raise TimeoutError(f"loopback did not deliver a message within {LIMIT_MS / 1e3:g} s")
    receiver.recv_multipart()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
