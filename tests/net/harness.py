"""Endpoints on one loop, for tests over real sockets; nothing sleeps."""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.clock import MonotonicClock, ns
from swarm.net.endpoint import Endpoint, Received
from swarm.net.loop import Loop

LIMIT_NS = ns(10)


class Net:
    """Endpoints on one loop; `until` runs it till a condition holds."""

    def __init__(self) -> None:
        self.loop = Loop(MonotonicClock())
        self.got: dict[str, list[Received]] = {}
        self.endpoints: list[Endpoint] = []

    def endpoint(self, name: str, swarm: str = "s", boot: int = 1, role: str = "agent") -> Endpoint:
        inbox = self.got.setdefault(name, [])
        endpoint = Endpoint(self.loop, swarm=swarm, name=name, role=role, boot=boot, handler=inbox.append)
        self.endpoints.append(endpoint)
        return endpoint

    def until(self, condition: Callable[[], bool]) -> None:
        end = self.loop.clock.now_ns() + LIMIT_NS
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
        assert held, "not within ten seconds"

    def close(self) -> None:
        for endpoint in self.endpoints:
            endpoint.close()
        self.loop.close()
