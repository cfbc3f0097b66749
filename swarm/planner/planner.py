"""The planner: messages of agents in, plans out.

`state.py` keeps the planner's knowledge and decides when to solve; `refinement.py` decides when to refine plans. This
file connects them with the network: it filters received messages, sends plans to agents, and reports to the launcher.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns
from swarm.membership.events import Suspected
from swarm.membership.failure_detector import Changed, FailureDetector
from swarm.membership.outbox import Outbox
from swarm.membership.participant import Participant
from swarm.membership.view import MOST, Membership
from swarm.planner.events import Command, Event, Heard, PlannerStatistics, Publish, Report, Solve, SolveEnded, Tick
from swarm.planner.ports import Foresight, Refiner, Solver
from swarm.planner.refinement import Refinement
from swarm.planner.state import PlannerState

log = logging.getLogger(__name__)

TICK_S = 0.1


class Planner:
    """Plans for the agents of one swarm. refiner: None where plans are not refined. foresight: of the policy `oracle`.
    """

    def __init__(
        self, host: Host, settings: PlannerFile, solver: Solver, refiner: Refiner | None,
        foresight: Foresight | None = None,
    ) -> None:
        self._settings = settings
        self._clock, self._timers, self._net, self._solver = host.clock, host.timers, host.transport, solver
        me = host.transport.member
        self._state = PlannerState(lease_s=settings.lease_s, every_s=settings.every_s, me=(me.name, me.boot),
                                   foresight=foresight, airtimes=settings.airtimes)
        self._participant = Participant(
            host, settings, self._received,
            advert_of=lambda agent: self._state.advert_of(agent), met=lambda names: self._failures.met(names),
        )
        self._failures = FailureDetector(host, self._participant, self._changed, neighbours=MOST)
        self._refinement = Refinement(host.timers, refiner, self._handle, self._record)
        self._outbox = Outbox(host.timers, self._participant.report)
        self._begun = False

    @property
    def view(self) -> Membership:
        """Which agents are there, as the planner sees it."""
        return self._failures.view

    def begin(self) -> None:
        """Join the swarm, and plan from now on."""
        self._timers.every(ns(TICK_S), lambda: self._handle(Tick()))
        if self._settings.launcher is None:
            self._streams_begin()                    # on a board no launcher sends Start
        self._participant.begin()

    def statistics(self) -> PlannerStatistics:
        return self._state.statistics()

    # --- events ---

    def _received(self, message: Received) -> None:
        if isinstance(message.body, msg.Start):
            self._streams_begin()
        elif self._net.role(message.sender) == "agent" and self._failures.heard(message):
            if isinstance(message.body, msg.Gossip):
                self._failures.gossip(message.body)
            else:
                self._handle(Heard(message.sender, message.boot, self._of_members(message.body)))

    def _of_members(self, body: msg.Body) -> msg.Body:
        """A report without the links to those who are no agents of ours: their names are without end."""
        if not isinstance(body, msg.Feedback) or all(self._net.role(peer) == "agent" for peer in body.links):
            return body
        return msgspec.structs.replace(
            body, links={peer: link for peer, link in body.links.items() if self._net.role(peer) == "agent"})

    def _changed(self, changes: Sequence[Changed]) -> None:
        lasting = [change for change in changes if not isinstance(change, Suspected)]
        if lasting:                                    # a suspicion may be short, so plans ignore it
            self._handle(*lasting)

    def _streams_begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._timers.lateness.clear()
            self._refinement.begin()

    # --- commands ---

    def _handle(self, *events: Event) -> None:
        for command in self._state.handle(*events, now=self._clock.now_ns()):
            self._perform(command)

    def _perform(self, command: Command) -> None:
        match command:
            case Publish(plan=plan):
                self._outbox.put(msg.PlanNews(plan=plan))
                own: dict[str, list[Placement]] = {agent: [] for agent in self._net.peers("agent")}
                for placement in plan.placements:
                    own.setdefault(placement.agent, []).append(placement)
                for agent, placements in own.items():        # each gets its own part: the whole grows with the swarm
                    self._net.send(agent, msg.PlanNews(plan=msgspec.structs.replace(plan, placements=placements)))
            case Report(what=what, detail=detail):
                self._record(what, detail)
            case SolveEnded(news=news):
                late = self._timers.lateness
                self._outbox.put(msgspec.structs.replace(
                    news, loop_late_ms_p99=late.quantile_ms(0.99), loop_late_ms_max=late.longest_ns / 1e6))
            case Solve(refine=True):
                self._refinement.on_plan(command)
            case Solve():
                self._solver.solve(command, self._handle)

    def _record(self, what: str, detail: dict[str, str | float | int]) -> None:
        log.info("%s %s", what, " ".join(f"{k}={v}" for k, v in detail.items()))
        self._outbox.put(msg.Happened(what=what, detail=detail))
