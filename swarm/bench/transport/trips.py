"""Round trips between this process and one child, through an endpoint or plain ZeroMQ."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from swarm.bench.support.child import Child, cpu_s
from swarm.bench.support.peer import Peer
from swarm.bench.transport.bare import BareClient
from swarm.bench.transport.echo import Address
from swarm.core.clock import MonotonicClock
from swarm.core.ports import Received
from swarm.core.protocol.messages import Member, StageAsk, StageRefusal
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.units import ns, seconds
from swarm.net.security.key_folder import KeyFolder
from swarm.net.security.keyring import Keyring

LIMIT_NS = ns(20.0)
BUDGET_S = 60.0                      # every request has a budget on the wire; it never ends here
FRAME = Frame(1, "detect", 0)
AGAIN_NS = ns(0.001)                 # retry after a refusal of `send` with nothing in flight


class Block(msgspec.Struct, frozen=True):
    """Some round trips, one after the other or with a window of requests in flight."""

    took_us: list[float]
    elapsed_s: float
    cpu_s: float                     # of both processes


class Variant(Protocol):
    """One implementation of round trips to a child."""

    pid: int

    def round_trips(self, count: int, window: int) -> list[int]:
        """Duration of each round trip, ns."""
        ...

    def close(self) -> None: ...


def block(variant: Variant, count: int, window: int = 1) -> Block:
    """Measure `count` round trips."""
    clock = MonotonicClock()
    began_ns, cpu_before_s = clock.now_ns(), cpu_s(os.getpid()) + cpu_s(variant.pid)
    took_ns = variant.round_trips(count, window)
    elapsed_s = seconds(clock.now_ns() - began_ns)
    return Block([ns / 1e3 for ns in took_ns], elapsed_s, cpu_s(os.getpid()) + cpu_s(variant.pid) - cpu_before_s)


def keys_in(folder: Path) -> Path:
    """A key folder for both sides."""
    keys = KeyFolder(folder)
    for name in ("client", "echo"):
        keys.enrol(keys.new(name, durable=False).key, durable=False)
    return folder


class BareVariant:
    """Plain ZeroMQ."""

    def __init__(self, payload_bytes: int) -> None:
        self._payload = bytes(payload_bytes)
        self._child = Child("swarm.bench.transport.echo", "bare", str(payload_bytes))
        self.pid = self._child.pid
        self._client = BareClient(self._child.receive(Address).endpoint, MonotonicClock())

    def round_trips(self, count: int, window: int) -> list[int]:
        return self._client.round_trips(self._payload, count, window)

    def close(self) -> None:
        self._client.close()
        self._child.close()


class EndpointVariant:
    """Our endpoint: a request for a stage, with the payload as its tensor, is refused.

    busy_poll_s: busy polling of both sides. keys: a key folder in which both sides are enrolled; None: plaintext.
    """

    def __init__(self, payload_bytes: int, busy_poll_s: float = 0.0, keys: Path | None = None) -> None:
        self._payload = [np.zeros(payload_bytes, np.uint8)]
        self._child = Child("swarm.bench.transport.echo", "endpoint", str(busy_poll_s), *([str(keys)] if keys else []))
        self.pid = self._child.pid
        ring = Keyring(keys, "client") if keys else None
        self._side = Peer("client", self._answered, keyring=ring, busy_poll_s=busy_poll_s)
        self._sent_ns: dict[int, int] = {}
        self._took_ns: list[int] = []
        self._sequence = self._left = self._window = 0
        other = self._child.receive(Member)
        self._child.send(self._side.net.member)
        self._side.meet(other)

    def round_trips(self, count: int, window: int) -> list[int]:
        """Raises: TimeoutError after 20 s, RuntimeError for an answer without a request."""
        loop, self._took_ns, self._left, self._window = self._side.loop, [], count, window
        limit = loop.after(LIMIT_NS, self._give_up)
        loop.post(self._ask)
        loop.run()
        limit.cancel()
        return self._took_ns

    def close(self) -> None:
        self._side.close()
        self._child.close()

    def _ask(self) -> None:
        """Fill the window as far as the endpoint accepts requests."""
        while self._left and len(self._sent_ns) < self._window:
            sent_ns = self._side.clock.now_ns()
            ask = StageAsk(request=RequestId("client", 1, self._sequence), frame=FRAME, model="detector",
                variant="int8", priority=2)
            if not self._side.net.send("echo", ask, self._payload, budget_s=BUDGET_S):
                if not self._sent_ns:                        # no answer will call this again
                    self._side.loop.after(AGAIN_NS, self._ask)
                return
            self._sent_ns[self._sequence] = sent_ns
            self._sequence += 1
            self._left -= 1

    def _answered(self, message: Received) -> None:
        if not isinstance(message.body, StageRefusal) or message.body.request.sequence not in self._sent_ns:
            raise RuntimeError(f"{message.body} does not answer a request")
        self._took_ns.append(self._side.clock.now_ns() - self._sent_ns.pop(message.body.request.sequence))
        if self._left:
            self._ask()
        elif not self._sent_ns:
            self._side.loop.stop()

    def _give_up(self) -> None:
        raise TimeoutError(f"{len(self._sent_ns)} unanswered after {seconds(LIMIT_NS):g} s: "
                           f"{self._side.net.statistics()}")
