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
from swarm.core.clock import MonotonicClock, new_boot, ns, seconds, set_wall_step
from swarm.core.messages import Afflicted, Body, Heartbeat, HeartbeatAck, Joined, Member, Ready, Roster, Shutdown
from swarm.net.bulk import Undelivered
from swarm.net.endpoint import Endpoint, Received
from swarm.net.keys import Keyring
from swarm.net.loop import Loop

log = logging.getLogger(__name__)

LIFELINE_VARIABLE = "SWARM_LIFELINE_FD"
CLOCK_STEP_VARIABLE = "SWARM_CLOCK_STEP_S"       # by how much the wall clock is off already when the process starts
READY_EVERY_NS = ns(0.1)
LINGER_MS = 200
PEER_ROLES = ("agent", "planner")


class Process:
    """One process of a swarm. It joins by the launcher or, on a board, by the roster in its file.

    `handler` gets every message but those that are handled here: Roster, Joined and Shutdown.
    busy_s, advert_of: what heartbeats say: the work in hand, and which advert of the other is known.
    met: told of members that joined, or have another address.
    keys: the key folder; empty: plaintext, with members on this machine alone unless `security` says otherwise.
    Raises: BadInput for keys that cannot be used and for an address that cannot be bound.
    """

    def __init__(
        self, *, swarm: str, name: str, role: str, bind: str, launcher: Member | None, roster: Sequence[Member],
        handler: Callable[[Received], None], keys: str, security: str, undelivered: Undelivered = lambda *_: None,
        busy_poll_s: float = 0.0, busy_s: Callable[[], float] = lambda: 0.0,
        advert_of: Callable[[str], int] = lambda _: 0, met: Callable[[list[str]], None] = lambda _: None,
    ) -> None:
        _many_files()
        self.name = name
        self.clock = MonotonicClock()
        set_wall_step(float(os.environ.get(CLOCK_STEP_VARIABLE, "0")))
        self.boot = new_boot()
        self.loop = Loop(self.clock, busy_poll_s)
        self._handler, self._busy_s, self._advert_of, self._met = handler, busy_s, advert_of, met
        self.net = Endpoint(
            self.loop, swarm=swarm, name=name, role=role, boot=self.boot, handler=self._received, bind=bind,
            keyring=Keyring(Path(keys), name) if keys else None, undelivered=undelivered,
        )
        self._only_here = not keys and not security
        self.launcher = launcher         # None: on a board, by its file
        self._announced = False
        self._beats = 0
        self.guests: set[str] = set()    # members that came by an announcement, whom no launcher tells of others
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
        self._met(self.net.peers())
        self.loop.run()
        self.net.close(LINGER_MS)

    def beat(self, to: Sequence[str]) -> None:
        """A heartbeat to each, which is a probe of the way there too."""
        self._beats += 1
        busy_s, now = self._busy_s(), self.clock.now_ns()
        for name in to:
            link = self.net.link(name)
            if link is not None and self.net.send(name, Heartbeat(
                    sequence=self._beats, busy_s=busy_s, advert=self._advert_of(name))):
                link.probe(self._beats, now)

    def tell_launcher(self, body: Body) -> bool:
        """Send to the launcher. True where there is none: nobody waits for it."""
        return self.launcher is None or self.net.send(self.launcher.name, body)

    def _announce(self) -> None:
        if self.launcher is not None and not self._announced:
            self.net.send(self.launcher.name, Ready(member=self.net.member, pid=os.getpid()))
            self.loop.after(READY_EVERY_NS, self._announce)

    def introduce(self, to: str) -> bool:
        """Tell a member that we are there, and who else is. False: it cannot be reached yet."""
        others = [self.net.where(name) for name in self.net.peers(*PEER_ROLES) if name != to]
        return self.net.send(to, Joined(members=[self.net.member, *(m for m in others if m)]))

    def _join(self, members: Sequence[Member]) -> None:
        """Those that may; they, whoever is new of them, are told on."""
        before = {name: self.net.where(name) for name in self.net.peers()}
        self.net.join([one for one in members if self._may_join(one)])
        self._met([name for name in self.net.peers() if before.get(name) != self.net.where(name)])

    def _introduced(self, sender: str, members: Sequence[Member]) -> None:
        """Where a member is to be found is its own word; of others it can tell only what is new to us.

        A newcomer is an agent: no role with more to say comes by this way; with keys, one that is enrolled.
        """
        known = self.net.where(sender)
        role = known.role if known else "agent"
        own = next((one for one in members if one.name == sender and one.role == role), None)
        if own is not None and own != known:
            self.guests.add(sender)
            self._join([own])
            for other in self.net.peers(*PEER_ROLES) if known is None and self.net.where(sender) == own else ():
                if other != sender:                  # the newcomer is told of them when it is greeted
                    self.net.send(other, Joined(members=[own]))
        elif known is not None:
            strangers = [m for m in members if m.role == "agent" and self.net.where(m.name) is None]
            self.guests.update(m.name for m in strangers)
            self._join(strangers)
        self.guests.intersection_update(self.net.peers())

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
        if isinstance(body, Joined) and self.net.role(message.sender) in ("", *PEER_ROLES):
            self._introduced(message.sender, body.members)   # the one thing that a stranger with a key may say
        elif not msg.may_say(self.net.role(message.sender), body):
            self._refuse(f"{type(body).__name__} of {message.sender}, who may not say it")
        elif isinstance(body, Roster):
            self._announced = True
            self._join(body.members)
        elif isinstance(body, Shutdown):
            self.loop.stop()
        elif isinstance(body, Afflicted):
            self.net.impairment.become(body)
            set_wall_step(body.clock_step_s)
            self._handler(message)
        elif isinstance(body, Heartbeat):
            self._handler(message)                   # first: it may be the first word of a new start
            held_s = seconds(self.clock.now_ns() - message.at_ns)
            self.net.send(message.sender, HeartbeatAck(
                sequence=body.sequence, held_s=held_s, busy_s=self._busy_s(), advert=self._advert_of(message.sender),
            ))
        elif isinstance(body, HeartbeatAck):
            link = self.net.link(message.sender)
            if link is not None:
                link.answered(body.sequence, body.held_s, message.at_ns)
            self._handler(message)
        else:
            self._handler(message)


def log_to_stderr(name: str) -> None:
    """One line per record, with the process's name."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{name}: %(levelname)s %(message)s")


def _many_files() -> None:
    """As many open files as may be: each connection is one, and strangers can open connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
