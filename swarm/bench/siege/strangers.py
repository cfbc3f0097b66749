"""Attacks without a key: connections and bytes. Each attack returns how many connections it has opened."""

from __future__ import annotations

import collections
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from swarm.bench.siege.wires import Sender
from swarm.bench.siege.words import Target
from swarm.core.clock import MonotonicClock
from swarm.core.units import NS, seconds

IDLE = 4000
CHURN_PER_S, HALF_PER_S = 3000, 1000
MOST_HELD = 4000
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)      # ZMTP 3.0 (RFC 23)
HELLO_WITHOUT_END = b"\x06" + struct.pack(">Q", 60_000)      # a long command, of which the rest never comes
GARBAGE_BYTES = 4096

Clock = MonotonicClock


def _address(target: Target) -> tuple[str, int]:
    host, _, port = target.urgent.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def _connected(address: tuple[str, int]) -> socket.socket | None:
    try:
        connection = socket.create_connection(address, timeout=1.0)
    except OSError:
        return None
    connection.setblocking(False)
    return connection


def _paced(target: Target, clock: Clock, per_s: float, act: Callable[[], bool]) -> int:
    """Act this often until the time is over, or as often as this core can. Returns how often it succeeded."""
    began_ns, done, tried = clock.now_ns(), 0, 0
    until_ns = began_ns + int(target.for_s * NS)
    while (now := clock.now_ns()) < until_ns:
        due = int(seconds(now - began_ns) * per_s) - tried
        for _ in range(min(due, 50)):
            done += act()
        tried += min(due, 50)
        if due < 1:
            os.sched_yield()
    return done


def idle_connections(target: Target, clock: Clock) -> int:
    """4,000 connections that say nothing; what is cut is opened again."""
    held: collections.deque[socket.socket] = collections.deque()

    def act() -> bool:
        if len(held) >= IDLE:
            _close(held.popleft())
        connection = _connected(_address(target))
        if connection is not None:
            held.append(connection)
        return connection is not None

    return _paced(target, clock, IDLE, act)


def handshake_churn(target: Target, clock: Clock) -> int:
    """3,000 connections a second, each closed after its greeting."""
    def act() -> bool:
        connection = _connected(_address(target))
        if connection is None:
            return False
        with suppress(OSError):
            connection.send(GREETING)
        _close(connection)
        return True

    return _paced(target, clock, CHURN_PER_S, act)


def half_handshakes(target: Target, clock: Clock) -> int:
    """1,000 connections a second that greet, begin a long command, and go on saying nothing."""
    return _paced(target, clock, HALF_PER_S, _holding(target, GREETING + HELLO_WITHOUT_END))


def garbage(target: Target, clock: Clock) -> int:
    """1,000 connections a second with 4 KiB of noise."""
    return _paced(target, clock, HALF_PER_S, _holding(target, os.urandom(GARBAGE_BYTES)))


def unknown_keys(target: Target, clock: Clock) -> int:
    """Whole handshakes of CURVE by keys that are not enrolled, 50 a second."""
    senders: collections.deque[Sender] = collections.deque()

    def act() -> bool:
        if len(senders) >= 20:
            senders.popleft().close()
        senders.append(Sender(target, known=False))
        return True

    return _paced(target, clock, 50.0, act)


def _holding(target: Target, said: bytes) -> Callable[[], bool]:
    held: collections.deque[socket.socket] = collections.deque()

    def act() -> bool:
        if len(held) >= MOST_HELD:
            _close(held.popleft())
        connection = _connected(_address(target))
        if connection is None:
            return False
        with suppress(OSError):
            connection.send(said)
        held.append(connection)
        return True

    return act


def _close(connection: socket.socket) -> None:
    """At once, so that no port waits for the rest of the bench."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


ATTACKS = {attack.__name__: attack for attack in (
    idle_connections, handshake_churn, half_handshakes, garbage, unknown_keys)}
