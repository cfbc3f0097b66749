"""One robot under random schedules: frames, peers, losses, refusals, chains and preemption, all drawn from one seed."""

from __future__ import annotations

import random

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.peer_requests import CHAIN_BROKEN
from agents.scheduling.queue.margins import ABORT_S, LATE_NS
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.units import ns
from swarm.membership.view import HEARTBEAT_S
from tests.agents.builders import BOOT, robot
from tests.agents.scheduler_events import arrived, asked, came, plan_for
from tests.agents.schedules.promises import PromiseWatch
from tests.agents.schedules.scenes import Asking, Scene
from tests.agents.schedules.simulated import Agenda, SimulatedExecutor
from tests.agents.schedules.watch import Watch

PEERS = ("mule", "ox", "asker")
SILENT_S = 1.0


class Simulation:
    """One robot against random frames, peers, losses and refusals, with chains over up to three agents.

    Every command is checked when it is performed.
    """

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.random = scene, random.Random(seed)
        self.agenda = Agenda()
        self.known = PeerTable()
        self.scheduler = robot(
            scene.profiles, scene.policy, self.known, executors=scene.executors, loaded=scene.loaded,
            streams=scene.streams,
        )
        self.executor = SimulatedExecutor(
            self.agenda, scene.executors, {p.model: p for p in scene.profiles}, self.handle, self.random,
            scene.most,
        )
        self.promises = PromiseWatch(self.scheduler)
        self.executor.slow = self.promises.slow
        self.watch = Watch(self.scheduler, self.executor, scene.longest_s)
        self.silent_until: dict[str, int] = {}
        self.cancelled: set[RequestId] = set()               # requests with cancelled timers
        self.submitted: set[RequestId] = set()
        self.ended: list[Span] = []
        self.asked: set[RequestId] = set()
        self.settled: dict[RequestId, int] = {}              # asks that were answered, passed on, refused, forgotten
        self.passed: set[RequestId] = set()
        self.broken: dict[RequestId, int] = {}               # chains that broke after us, as told to their owners
        self.holders: dict[RequestId, set[str]] = {}         # peers that may hold a request of ours
        self.started: dict[int, ev.RunStage] = {}            # by work
        self.told: dict[int, float] = {}                     # runs that are being preempted -> urgency
        self.chains = self.aborted_preempted = 0

    def run(self) -> None:
        for spec in self.scene.streams:
            self._frames(spec)
        for asking in self.scene.asks:
            self._asks(asking)
        for _ in range(self.scene.troubles):
            at = self._time()
            self.agenda.at(at, self._fall_silent, self.random.choice(PEERS))
            where = [self.random.choice(["me", "mule", "ox"]) for _ in range(self.random.choice([1, 4]))]
            self.agenda.at(at, self.handle, plan_for(self.random.choice(self.scene.streams).name, *where, epoch=at))
        self.agenda.at(0, self._hear)
        self.agenda.run()
        self._check_the_end()

    # --- what happens to the robot ---

    def _time(self) -> int:
        return ns(self.random.uniform(0, self.scene.lasts_s))

    def _frames(self, spec: StreamSpec) -> None:
        """A camera that may pause for a while; its frames are early or late by a tenth of the period, at most."""
        at_s = due_s = self.random.uniform(0, 1 / spec.rate_hz)
        while at_s < self.scene.lasts_s:
            at = ns(at_s) + 1
            frame = arrived(len(self.submitted), spec, at)
            self.submitted.add(frame.request)
            self.agenda.at(at, self.handle, frame)
            pause_s = self.random.uniform(0.2, 1.0) if self.random.random() < self.scene.pauses else 0.0
            due_s += 1.0 / spec.rate_hz + pause_s
            at_s = due_s + self.random.uniform(-0.1, 0.1) / spec.rate_hz

    def _asks(self, asking: Asking) -> None:
        at_s = self.random.uniform(0, 1 / asking.rate_hz)
        while at_s < self.scene.lasts_s:
            at = ns(at_s) + 1
            first, last, route = self.random.choice(asking.legs)
            ask = asked(
                len(self.asked), asking.model, at + ns(asking.deadline_s), asking.peer, first, last, route,
                asking.priority,
            )
            self.asked.add(ask.request)
            self.agenda.at(at, self.handle, ask)
            if self.random.random() < self.scene.cancels:
                self._call_off(ask.request, at + ns(self.random.uniform(-0.01, 0.1)))
            at_s += self.random.uniform(0.8, 1.2) / asking.rate_hz

    def _call_off(self, which: RequestId, at: int) -> None:
        self.agenda.at(at, self.handle, ev.StageCancelled(request=which, peer=which.agent))

    def _fall_silent(self, peer: str) -> None:
        self.silent_until[peer] = self.agenda.now + ns(SILENT_S)

    def _hear(self) -> None:
        """Heartbeats of the peers that are not silent."""
        now = self.agenda.now
        for peer in PEERS:
            silent_ns = now - (self.silent_until.get(peer, 0) - ns(SILENT_S))
            if silent_ns >= ns(SILENT_S):
                self.known.update(peer, BOOT, self.random.choice([0.0, 0.05]), now)
                self.known.advertised(peer, BOOT, self.scene.advert)
            self.known.suspected(peer, silent_ns < ns(SILENT_S))
            if ns(2 * HEARTBEAT_S) < silent_ns < ns(SILENT_S) and self.known.lost(peer):
                for holders in self.holders.values():
                    holders.discard(peer)
                self.handle(ev.PeerLost(peer=peer))
        if now < ns(self.scene.lasts_s):
            self.agenda.at(now + ns(HEARTBEAT_S), self._hear)

    def handle(self, event: ev.Event) -> None:
        now = self.agenda.now
        match event:
            case ev.TimerFired() if event.request in self.cancelled:
                return
            case ev.StageDone(work=work) | ev.Preempted(work=work):
                self.told.pop(work, None)
                self.aborted_preempted += isinstance(event, ev.Preempted) and work in self.executor.aborted
                self.watch.left(work, now)
            case ev.AnswerCame() | ev.Refused():
                self.holders.pop(event.request, None)
        for command in self.scheduler.handle(event, now):
            self._do(command)
        self.watch.look(now)
        self.promises.look(now)

    # --- what it does ---

    def _do(self, command: ev.Command) -> None:
        now = self.agenda.now
        match command:
            case ev.RunStage(work=work):
                self.started[work] = command
                self.executor.start(command)
            case ev.Preempt(work=work, urgency=urgency):
                assert urgency > self.told.get(work, -1.0), "told twice the same"
                self.told[work] = urgency
                self.executor.preempt(work, urgency)
                if self.started[work].asker and self.random.random() < self.scene.cancels:
                    self._call_off(self.started[work].request, now + ns(self.random.uniform(0, ABORT_S)))
            case ev.AbortRun(work=work):
                self.executor.abort(work)
            case ev.LoadStages(model=model, variant=variant):
                loaded = ev.StagesLoaded(model=model, variant=variant)
                self.agenda.at(now + ns(self.random.uniform(0.05, 0.5)), self.handle, loaded)
            case ev.SendStage(request=which, route=legs):
                self._sent(which, [leg.agent for leg in legs])
            case ev.PassOn(asked=asked, peer=peer):
                self._settle(asked.request)
                self.passed.add(asked.request)
                assert (peer, asked.route) == (asked.route[0].agent, list(asked.route))
                if self.random.random() < 0.5:
                    at = now + ns(self.random.uniform(0.001, 0.1))
                    self.agenda.at(at, self.handle, ev.Refused(
                        request=asked.request, peer=peer, reason="unreachable"))
            case ev.CancelStage(request=which, peer=peer):
                self.holders[which].remove(peer)
            case ev.StopSending(request=which):
                assert which in self.passed
            case ev.SetTimer(at_ns=at, event=event):
                self.agenda.at(max(at, now) + self.random.randint(0, LATE_NS), self.handle, event)
            case ev.CancelTimers(request=which):
                self.cancelled.add(which)
            case ev.Deliver(span=span):
                self.ended.append(span)
                self.executor.tell_slow()
                self.promises.ended(span)
            case ev.Refuse(request=which, reason=reason) if which in self.passed:
                assert reason == CHAIN_BROKEN
                self.broken[which] = self.broken.get(which, 0) + 1
            case ev.Answer(request=which, peer=peer) | ev.Refuse(request=which, peer=peer) | ev.Forget(
                request=which, peer=peer
            ):
                assert which.agent == peer
                self._settle(which)
            case _:
                raise AssertionError(f"no way to do {command}")

    def _settle(self, which: RequestId) -> None:
        self.settled[which] = self.settled.get(which, 0) + 1

    def _sent(self, which: RequestId, agents: list[str]) -> None:
        """The last peer answers, perhaps twice; or a peer refuses or cannot pass it on; or no answer comes."""
        self.holders[which] = set(agents)
        self.chains += len(agents) > 1
        fate = self.random.random()
        at = self.agenda.now + ns(self.random.uniform(0.005, 0.5))
        if fate < self.scene.silent:
            return
        if fate < 0.6:
            self.agenda.at(at, self.handle, came(which.sequence, agents[-1], before=len(agents) - 1))
            if fate < 0.1:
                self.agenda.at(at + 1, self.handle, came(which.sequence, agents[-1]))
        elif fate < 0.8:
            peer = self.random.choice(agents)
            reasons = ["full", CHAIN_BROKEN] if peer != agents[-1] else ["full"]
            self.agenda.at(at, self.handle, ev.Refused(
                request=which, peer=peer, reason=self.random.choice(reasons)))
        elif fate < 0.85:
            self.agenda.at(0, self.handle, ev.Refused(request=which, peer=agents[0], reason="unreachable"))

    # --- and in the end ---

    def _check_the_end(self) -> None:
        ids = [span.request for span in self.ended]
        assert len(ids) == len(set(ids)), "a request ended twice"
        assert set(ids) == self.submitted, "a request never ended"
        assert self.scheduler.open_requests() == 0
        assert self.settled == dict.fromkeys(self.asked, 1), "each ask is settled once"
        assert set(self.broken.values()) <= {1}, "an owner is told once"
        assert not any(self.holders.values()), f"nobody works in vain untold: {self.holders}"
        assert not self.executor.current, "nothing runs on"
        assert self.scheduler.busy_s(self.agenda.now) == 0.0
        for span in self.ended:
            if span.ending == "completed":
                assert span.captured_ns <= span.ended_ns <= span.deadline_ns
        counts = self.scheduler.statistics()
        assert counts.ended["completed"] + counts.ended["late"] + counts.ended["failed"] == len(self.submitted)
        assert counts.preempted_mid_stage <= self.executor.stage_aborts
        assert counts.preempted <= self.executor.stage_aborts + self.executor.boundaries
