"""Endpoints on one loop, for tests over real sockets; nothing sleeps."""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.clock import MonotonicClock
from swarm.core.ports import Received
from swarm.core.protocol.messages import Heartbeat, HeartbeatAck, Start
from swarm.core.units import ns
from swarm.net.dialler import Dialled
from swarm.net.lanes import SocketLanes, open_endpoint
from swarm.net.loop import Loop
from swarm.net.security.zap import Authenticator
from swarm.transport.endpoint import Endpoint
from tests.patience import HANG_NS, HANG_S


class Net:
    """Endpoints on one loop; `until` runs it till a condition holds."""

    def __init__(self) -> None:
        self.loop = Loop(MonotonicClock())
        self.got: dict[str, list[Received]] = {}
        self.endpoints: list[Endpoint] = []
        self.silent: set[str] = set()                # of those that answer heartbeats, who does not for now

    def endpoint(
        self, name: str, swarm: str = "s", boot: int = 1, role: str = "agent", answers: bool = False
    ) -> Endpoint:
        """answers: heartbeats, as whoever is alive does."""
        inbox = self.got.setdefault(name, [])

        def received(message: Received) -> None:
            inbox.append(message)
            if answers and isinstance(message.body, Heartbeat) and name not in self.silent:
                endpoint.send(message.sender, HeartbeatAck(sequence=message.body.sequence, held_s=0.0))

        endpoint = open_endpoint(self.loop, swarm=swarm, name=name, role=role, boot=boot, handler=received)
        self.endpoints.append(endpoint)
        return endpoint

    def pair(self) -> tuple[Endpoint, Endpoint]:
        """`a` and `b`, which have heard each other; what they said is forgotten."""
        a, b = self.endpoint("a"), self.endpoint("b")
        a.join([b.member])
        b.join([a.member])
        self.until(lambda: a.send("b", Start()))
        self.until(lambda: b.send("a", Start()))
        self.until(lambda: bool(self.got["a"] and self.got["b"]))
        self.got["a"].clear()
        self.got["b"].clear()
        return a, b

    def until(self, condition: Callable[[], bool]) -> None:
        end = self.loop.clock.now_ns() + HANG_NS
        held = False

        def look() -> None:
            nonlocal held
            held = condition()
            if held or self.loop.clock.now_ns() > end:
                self.loop.stop()
            else:
                self.loop.after(ns(0.001), look)

        self.loop.post(look)
        self.loop.run()
        assert held, f"not within {HANG_S:g} s"

    def close(self) -> None:
        for endpoint in self.endpoints:
            endpoint.close()
        self.loop.close()


def lanes_of(endpoint: Endpoint) -> SocketLanes:
    """The sockets of an endpoint."""
    assert isinstance(endpoint.lanes, SocketLanes)
    return endpoint.lanes


def connection_of(endpoint: Endpoint, peer: str) -> Dialled:
    """The connection of an endpoint to a peer that it has joined."""
    known = endpoint._members.reach(peer)
    assert known is not None
    assert isinstance(known.connection, Dialled)
    return known.connection


def auth_of(endpoint: Endpoint) -> Authenticator:
    """The keys of an endpoint that encrypts."""
    auth = lanes_of(endpoint).auth
    assert auth is not None
    return auth
