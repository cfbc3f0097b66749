"""Makes a process a member of a swarm: it joins others, answers heartbeats, and refuses messages by the sender's role.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Body
from swarm.core.settings.process_files import ProcessFile
from swarm.core.units import ns, seconds
from swarm.membership.introductions import PEER_ROLES, Introductions
from swarm.membership.outbox import Outbox
from swarm.membership.probes import Probes

log = logging.getLogger(__name__)

READY_FIRST_NS, READY_MOST_NS = ns(0.1), ns(3.2)     # until Ready is repeated; doubled each time that it could be sent
REPORT_ROLES = ("launcher", "collector")


class Participant:
    """It joins through the launcher or, on a board, by the roster in its file.

    `handler` gets every message but those that are handled here: Roster, Introduction, InReach and Shutdown.
    busy_s, advert_of: content of heartbeats: the work in hand, and the number of the newest advert of the peer.
    met: called with the members that joined, or changed their address.
    undelivered: called with receiver, tag and reason for each tagged message that was accepted and will not arrive.
    """

    def __init__(
        self, host: Host, settings: ProcessFile, handler: Callable[[Received], None], *,
        busy_s: Callable[[], float] = lambda: 0.0, advert_of: Callable[[str], int] = lambda peer: 0,
        met: Callable[[list[str]], None] = lambda names: None,
        undelivered: Callable[[str, Hashable, str], None] = lambda to, tag, reason: None,
    ) -> None:
        self._host, self.net = host, host.transport
        self.name, self.boot = self.net.member.name, self.net.member.boot
        self.launcher = settings.launcher            # None: on a board
        self._faults, self._reach = settings.faults, settings.reach
        self._reports_to = next(                     # the launcher, or the collector of the roster; None: neither
            (one.name for one in (settings.launcher, *settings.roster) if one and one.role in REPORT_ROLES), None)
        self.refused = 0                             # messages that the sender's role may not send; refused members
        self._handler, self._busy_s, self._advert_of, self._met = handler, busy_s, advert_of, met
        self._introductions = Introductions(
            self.net, local_only=not settings.keys and not settings.security, changed=met, refuse=self.refuse)
        self._probes: dict[str, Probes] = {}
        self._beats = 0
        self._answered = False                       # the launcher has sent the roster
        self._outbox = Outbox(host.timers, self.report)
        self._tell = self._outbox.put
        host.machine.on_held_up(lambda for_s: self._tell(
            msg.Happened(what="held_up", detail={"for_s": round(for_s, 3)})))
        self.net.attach(self._received, undelivered)
        self.net.join([*settings.roster, *([self.launcher] if self.launcher else [])])

    def begin(self) -> None:
        """Announce readiness until the launcher answers; report the members of the file as joined."""
        self._announce()
        self._met(self.net.peers())

    def send_heartbeats(self, to: Sequence[str]) -> None:
        """Send a heartbeat to each of these members. It also probes the link."""
        self._beats += 1
        busy_s, now = self._busy_s(), self._host.clock.now_ns()
        for name in to:
            body = msg.Heartbeat(sequence=self._beats, busy_s=busy_s, advert=self._advert_of(name))
            if self.net.send(name, body) and (probes := self._probes_of(name)) is not None:
                probes.on_sent(self._beats, now)

    def report(self, body: Body) -> bool:
        """Report to the launcher or, without one, to the collector in the roster. True if neither exists."""
        return self._reports_to is None or self.net.send(self._reports_to, body)

    def tell_through(self, put: Callable[[Body], None]) -> None:
        """Put its own reports into this queue, in order with all others of the process."""
        self._tell = put

    @property
    def has_collector(self) -> bool:
        """Whether there is somebody to report to."""
        return self._reports_to is not None

    def reconnect(self) -> None:
        """Connect anew to the collector, which does not answer: the connection may lead to where it was."""
        member = self.net.where(self._reports_to or "")
        if member is not None:
            self.net.leave(member.name)
            self.net.join([member])

    def introduce(self, to: str) -> bool:
        """Send a member our address, and those of others. False: it cannot be reached yet."""
        return self._introductions.introduce(to)

    def introduces_itself_to(self, name: str) -> bool:
        """Whether we must introduce ourselves to a new member, because no launcher sends it our address."""
        return self.launcher is None or name in self._introductions.newcomers

    def _announce(self, wait_ns: int = READY_FIRST_NS) -> None:
        """The answer comes when all are ready: a thousand processes must not flood the launcher until then."""
        if self.launcher is not None and not self._answered:
            sent = self.net.send(self.launcher.name, msg.Ready(member=self.net.member, pid=self._host.machine.pid))
            self._host.timers.after(wait_ns if sent else READY_FIRST_NS, partial(
                self._announce, min(2 * wait_ns, READY_MOST_NS) if sent else READY_FIRST_NS))

    def _probes_of(self, name: str) -> Probes | None:
        """The probes of the present connection: after a new connection the measurements start again."""
        estimator = self.net.link(name)
        if estimator is None:
            self._probes.pop(name, None)
            return None
        probes = self._probes.get(name)
        if probes is None or probes.estimator is not estimator:      # a member came: those that left are dropped, too
            self._probes = {peer: known for peer, known in self._probes.items() if self.net.link(peer) is not None}
            probes = self._probes[name] = Probes(estimator)
        return probes

    def refuse(self, what: str) -> None:
        """Count a message that is refused; only the first one is logged."""
        self.refused += 1
        if self.refused == 1:
            log.warning("refused: %s; further refusals are only counted", what)

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        role = self.net.role(sender)
        if isinstance(body, msg.Introduction) and role in ("", *PEER_ROLES):
            self._introductions.on_introduction(sender, body.members)    # the only message that a stranger may send
        elif not msg.may_say(role, body):
            self.refuse(f"{type(body).__name__} of {sender}, which may not send it")
        elif isinstance(body, msg.InjectedFaults) and not self._faults:
            self.refuse(f"{type(body).__name__} of {sender}: this run asks for no faults")
        elif isinstance(body, msg.InReach):
            if self._reach:
                self.net.hear_only(body.members)
            else:
                self.refuse(f"{type(body).__name__} of {sender}: this run has no radio reach")
        elif isinstance(body, msg.Heartbeat):
            self._handler(message)                   # first: it may be the first message of a new start
            held_s = seconds(self._host.clock.now_ns() - message.at_ns)
            self.net.send(sender, msg.HeartbeatAck(
                sequence=body.sequence, held_s=held_s, busy_s=self._busy_s(), advert=self._advert_of(sender),
            ))
        elif isinstance(body, msg.HeartbeatAck):
            probes = self._probes_of(sender)
            if probes is not None:
                probes.on_answer(body.sequence, body.held_s, message.at_ns)
            self._handler(message)
        elif isinstance(body, msg.Roster):
            self._answered = True
            self._introductions.join(body.members)
        elif isinstance(body, msg.Shutdown):
            self._host.machine.stop()
        else:
            if isinstance(body, msg.InjectedFaults):
                self.net.inject(body)
                self._host.machine.step_wall_clock(body.clock_step_s)
            self._handler(message)
