"""A child process of a bench, on its own side: its endpoint, its peer, and the orders of its parent."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
import numpy as np

from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.ports import Received
from swarm.core.protocol.messages import Body, Happened, Member
from swarm.core.units import ns
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring

T = TypeVar("T")

SWARM = "bench"
GREETING, GREETED = "greeting", "greeted"
GREET_NS = ns(0.02)
MEET_NS = ns(20.0)
FOR_BULK = np.zeros(16 << 10, np.uint8)      # large enough for the bulk lane
LANES = {"urgent", "bulk"}
UNLIMITED_PER_S = 1e9                # a bench sends as fast as it can
_ORDERS = io.FileIO(0, closefd=False)        # not `sys.stdin`: a thread that waits in its buffer blocks the exit


class Peer:
    """A loop and an endpoint. `handler` gets all messages except greetings."""

    def __init__(
        self, name: str, handler: Callable[[Received], None], bind: str = "127.0.0.1", keyring: Keyring | None = None,
        busy_poll_s: float = 0.0,
    ) -> None:
        self.clock = MonotonicClock()
        self.loop = Loop(self.clock, busy_poll_s)
        self.handler = handler
        self.net = open_endpoint(
            self.loop, swarm=SWARM, name=name, role="agent", boot=WallClock().new_boot(), bind=bind,
            handler=self._received, keyring=keyring, per_s=UNLIMITED_PER_S,
        )
        self._opened: set[str] = set()               # lanes on which our greeting has been answered
        self._answered: set[str] = set()             # lanes on which we have answered the other side's greeting

    def meet(self, other: Member) -> None:
        """Join the other side and run the loop until both lanes work in both directions. Both sides must call this.

        Raises: TimeoutError after 20 s.
        """
        self.net.join([other])
        began_ns = self.clock.now_ns()

        def greet() -> None:
            if self._opened >= LANES and self._answered >= LANES:
                self.loop.stop()
                return
            if self.clock.now_ns() > began_ns + MEET_NS:
                raise TimeoutError(f"{other.name} cannot be reached: {self.net.statistics()}")
            for lane in LANES - self._opened:
                body = Happened(what=GREETING, detail={"lane": lane})
                self.net.send(other.name, body, [FOR_BULK] if lane == "bulk" else [])
            self.loop.after(GREET_NS, greet)

        self.loop.post(greet)
        self.loop.run()

    def answer(self, to: str, body: Body) -> None:
        """Send a small message. Raises: ConnectionError if the endpoint does not accept it."""
        if not self.net.send(to, body):
            raise ConnectionError(f"cannot send an answer to {to}: {self.net.statistics()}")

    def close(self) -> None:
        self.net.close()
        self.loop.close()

    def _received(self, message: Received) -> None:
        body = message.body
        if isinstance(body, Happened) and body.what == GREETING:
            lane = str(body.detail["lane"])
            if self.net.send(message.sender, Happened(what=GREETED, detail={"lane": lane})):
                self._answered.add(lane)
        elif isinstance(body, Happened) and body.what == GREETED:
            self._opened.add(str(body.detail["lane"]))
        else:
            self.handler(message)


def send_to_parent(line: msgspec.Struct) -> None:
    """Send one line to the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def receive_from_parent(kind: type[T]) -> T:
    """Wait for the parent's next line. Ends the process if the parent has ended."""
    line = _ORDERS.readline()
    if not line:
        os._exit(0)
    return msgspec.json.decode(line, type=kind)


def end_with_parent() -> None:
    """From now on, end this process when the parent closes our standard input or dies."""
    def wait() -> None:
        os.read(0, 1)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def handle_orders(loop: Loop, kind: type[T], handle: Callable[[T], None]) -> None:
    """Handle the parent's further lines in the loop's thread, and end the process with the parent."""
    def read() -> None:
        while True:
            line = receive_from_parent(kind)
            loop.post(lambda line=line: handle(line))

    threading.Thread(target=read, daemon=True).start()
