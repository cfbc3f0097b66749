"""What every process of a swarm shares: loop and endpoint, joining, the lifeline, signals, answering heartbeats."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from swarm.core import messages as msg
from swarm.core import rules
from swarm.core.clock import MonotonicClock, new_boot, ns, seconds
from swarm.core.messages import Body, Heartbeat, HeartbeatAck, Member, Ready, Roster, Shutdown
from swarm.net.bulk import Undelivered
from swarm.net.endpoint import Endpoint, Received
from swarm.net.keys import Keyring
from swarm.net.loop import Loop

log = logging.getLogger(__name__)

LIFELINE_VARIABLE = "SWARM_LIFELINE_FD"
READY_EVERY_NS = ns(0.1)
LINGER_MS = 200


class Process:
    """One process of a swarm. It joins by the launcher or, on a board, by the roster in its file.

    `handler` gets every message but those that are handled here (Roster, Shutdown, and the answers to heartbeats).
    keys: the key folder; empty: plaintext, with members on this machine alone unless `security` says otherwise.
    Raises: BadInput for keys that cannot be used and for an address that cannot be bound.
    """

    def __init__(
        self, *, swarm: str, name: str, role: str, bind: str, launcher: Member | None, roster: Sequence[Member],
        handler: Callable[[Received], None], keys: str, security: str, undelivered: Undelivered = lambda *_: None,
        busy_poll_s: float = 0.0,
    ) -> None:
        _many_files()
        self.name = name
        self.clock = MonotonicClock()
        self.boot = new_boot()
        self.loop = Loop(self.clock, busy_poll_s)
        self._handler = handler
        self.net = Endpoint(
            self.loop, swarm=swarm, name=name, role=role, boot=self.boot, handler=self._received, bind=bind,
            keyring=Keyring(Path(keys), name) if keys else None, undelivered=undelivered,
        )
        self._only_here = not keys and not security
        self._launcher = launcher
        self._announced = False
        self._beats = 0
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

    def beat(self, to: Sequence[str], busy_s: float = 0.0) -> list[str]:
        """A heartbeat to each, which is a probe of the way there too. Returns those that it left for."""
        self._beats += 1
        beat, now = Heartbeat(sequence=self._beats, busy_s=busy_s), self.clock.now_ns()
        reached = [name for name in to if self.net.send(name, beat)]
        for link in map(self.net.link, reached):
            assert link is not None
            link.probe(self._beats, now)
        return reached

    def tell_launcher(self, body: Body) -> bool:
        """Send to the launcher. True where there is none: nobody waits for it."""
        return self._launcher is None or self.net.send(self._launcher.name, body)

    def _announce(self) -> None:
        if self._launcher is not None and not self._announced:
            self.net.send(self._launcher.name, Ready(member=self.net.member, pid=os.getpid()))
            self.loop.after(READY_EVERY_NS, self._announce)

    def _may_join(self, member: Member) -> bool:
        may = not self._only_here or rules.stays_here(member)
        if not may:
            self._refuse(f"{member.name} is beyond this machine, and there are no keys")
        return may

    def _refuse(self, what: str) -> None:
        self.refused += 1
        if self.refused == 1:
            log.warning("refused: %s; further refusals are only counted", what)

    def _received(self, message: Received) -> None:
        body = message.body
        if not msg.may_say(self.net.role(message.sender), body):
            self._refuse(f"{type(body).__name__} of {message.sender}, who may not say it")
        elif isinstance(body, Roster):
            self._announced = True
            self.net.join([one for one in body.members if self._may_join(one)])
        elif isinstance(body, Shutdown):
            self.loop.stop()
        elif isinstance(body, Heartbeat):
            held_s = seconds(self.clock.now_ns() - message.at_ns)
            self.net.send(message.sender, HeartbeatAck(sequence=body.sequence, held_s=held_s))
            self._handler(message)
        elif isinstance(body, HeartbeatAck):
            link = self.net.link(message.sender)
            if link is not None:
                link.answered(body.sequence, body.held_s, message.at_ns)
        else:
            self._handler(message)


def log_to_stderr(name: str) -> None:
    """One line per record, with the process's name."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{name}: %(levelname)s %(message)s")


def _many_files() -> None:
    """As many open files as may be: each connection is one, and strangers can open connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
