"""What every process of a swarm shares: loop and endpoint, joining, the lifeline, signals, answering heartbeats."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence

from swarm.core import messages as msg
from swarm.core.clock import MonotonicClock, new_boot, ns, seconds
from swarm.core.messages import Body, Heartbeat, HeartbeatAck, Member, Ready, Roster, Shutdown
from swarm.net.endpoint import Endpoint, Received
from swarm.net.loop import Loop

log = logging.getLogger(__name__)

LIFELINE_VARIABLE = "SWARM_LIFELINE_FD"
READY_EVERY_NS = ns(0.1)
LINGER_MS = 200


class Process:
    """One process of a swarm. It joins by the launcher or, on a board, by the roster in its file.

    `handler` gets every message but those that are handled here (Roster, Shutdown, and the answers to heartbeats).
    """

    def __init__(
        self, *, swarm: str, name: str, role: str, bind: str, launcher: Member | None, roster: Sequence[Member],
        handler: Callable[[Received], None],
    ) -> None:
        self.name = name
        self.clock = MonotonicClock()
        self.boot = new_boot()
        self.loop = Loop(self.clock)
        self._handler = handler
        self.net = Endpoint(
            self.loop, swarm=swarm, name=name, role=role, boot=self.boot, handler=self._received, bind=bind
        )
        self._launcher = launcher
        self._announced = False
        self.refused = 0                 # messages of those who may not say them
        self.net.join([*roster, *([launcher] if launcher else [])])

    def run(self) -> None:
        """Announce readiness, run until Shutdown, SIGTERM or SIGINT. A closed lifeline ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.loop.stop())
        lifeline = os.environ.get(LIFELINE_VARIABLE)
        if lifeline:
            self.loop.watch(int(lifeline), lambda: os._exit(1))      # only ever readable at its end
        self._announce()
        self.loop.run()
        self.net.close(LINGER_MS)

    def tell_launcher(self, body: Body) -> bool:
        """Send to the launcher. True where there is none: nobody waits for it."""
        return self._launcher is None or self.net.send(self._launcher.name, body)

    def _announce(self) -> None:
        if self._launcher is not None and not self._announced:
            self.net.send(self._launcher.name, Ready(member=self.net.member, pid=os.getpid()))
            self.loop.after(READY_EVERY_NS, self._announce)

    def _received(self, message: Received) -> None:
        body = message.body
        if not msg.may_say(self.net.role(message.sender), body):
            self.refused += 1
            if self.refused == 1:
                log.warning("refused %s of %s, who may not say it; further ones are only counted",
                            type(body).__name__, message.sender)
        elif isinstance(body, Roster):
            self._announced = True
            self.net.join(body.members)
        elif isinstance(body, Shutdown):
            self.loop.stop()
        elif isinstance(body, Heartbeat):
            held_s = seconds(self.clock.now_ns() - message.at_ns)
            self.net.send(message.sender, HeartbeatAck(sequence=body.sequence, sent_ns=body.sent_ns, held_s=held_s))
            self._handler(message)
        else:
            self._handler(message)


def log_to_stderr(name: str) -> None:
    """One line per record, with the process's name."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{name}: %(levelname)s %(message)s")
