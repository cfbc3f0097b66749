"""One robot under random schedules: frames, peers, losses, refusals and chains, all drawn from one seed."""

from __future__ import annotations

import heapq
import itertools
import random

from agents import events as ev
from agents.serving import CHAIN_BROKEN
from swarm.core.clock import ns
from swarm.core.plan import Leg
from swarm.core.spans import RequestId, Span
from tests.agents.fakes import BOOT, arrived, asked, came, plan_for, presence, profile, request, scheduler, stream

ASKS: list[tuple[int, int, list[Leg]]] = [
    (0, 0, []), (0, 0, []), (3, 4, []), (1, 2, [Leg("ox", 2, 4)]), (1, 3, [Leg("mule", 3, 4)])]
"""What `asker` wants: whole models, the end of a chain, the middle of one."""


class Simulation:
    """One robot against random frames, peers, losses and refusals, with chains over up to three agents.

    Every command is checked as it is done.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0
        self.order = itertools.count()
        self.agenda: list[tuple[int, int, ev.Event]] = []
        able = [profile(stages=4), profile("segmenter", 0.05, stages=4)]
        self.known = presence(mule=able, ox=able[:1], asker=able)
        policy = self.random.choice(["planner", "planner", "split:2", "split:3"])
        self.scheduler = scheduler(policy, self.known, stages=4, detector=0.03, segmenter=0.2)
        self.running: set[int] = set()
        self.cancelled: set[RequestId] = set()
        self.submitted = 0
        self.ended: list[Span] = []
        self.asked: set[RequestId] = set()
        self.settled: dict[RequestId, int] = {}              # asks that were answered, passed on, refused, forgotten
        self.passed: set[RequestId] = set()
        self.broken: dict[RequestId, int] = {}               # owners told that their chain broke behind us
        self.holders: dict[RequestId, set[str]] = {}         # who may be at work for a request of ours
        self.chains = 0

    def run(self, frames: int = 40) -> None:
        specs = [stream(deadline_s=0.1, priority=2), stream("segment", "segmenter", deadline_s=0.4)]
        for i in range(frames):
            at = ns(0.05 * i + self.random.uniform(0, 0.02))
            spec = specs[i % 3 == 2]
            self.later(at, arrived(i, spec, at))
            if self.random.random() < 0.3:
                first, last, route = self.random.choice(ASKS)
                deadline_ns = at + ns(self.random.uniform(0.01, 0.3))
                self.later(at, asked(i, deadline_ns=deadline_ns, first=first, last=last, route=route))
            if self.random.random() < 0.1:
                self.later(at + ns(0.05), ev.StageCancelled(request=request(i, "asker"), peer="asker"))
            if self.random.random() < 0.1:
                where = [self.random.choice(["me", "mule", "ox"]) for _ in range(self.random.choice([1, 4]))]
                self.later(at, plan_for(self.random.choice(["detect", "segment"]), *where, epoch=i))
        for _ in range(3):
            self.later(ns(self.random.uniform(0, 2)), ev.PeerLost(peer=self.random.choice(["mule", "ox", "asker"])))
        while self.agenda:
            self.now, _, event = heapq.heappop(self.agenda)
            self.submitted += isinstance(event, ev.RequestArrived)
            if isinstance(event, ev.StageAsked):
                self.asked.add(event.request)
            if isinstance(event, ev.StageDone):
                self.running.remove(event.work)
            if isinstance(event, ev.AnswerCame | ev.Refused):
                self.holders.pop(event.request, None)
            if isinstance(event, ev.PeerLost):
                for holders in self.holders.values():
                    holders.discard(event.peer)
            if isinstance(event, ev.LastSafeStart | ev.BudgetSpent | ev.GivenUp) and event.request in self.cancelled:
                continue
            for peer in ("mule", "ox", "asker"):
                self.known.heard(peer, BOOT, self.random.choice([0.0, 0.05]), self.now)
            for command in self.scheduler.handle(event, self.now):
                self.do(command)

    def later(self, at: int, event: ev.Event) -> None:
        heapq.heappush(self.agenda, (at, next(self.order), event))

    def do(self, command: ev.Command) -> None:
        match command:
            case ev.RunStage(work=work):
                self.running.add(work)
                assert len(self.running) == 1, "two runs on one executor"
                took = ns(self.random.choice([0.02, 0.03, 0.2]))
                ran = self.random.random() > 0.05
                self.later(self.now + took, ev.StageDone(
                    work=work, started_ns=self.now, finished_ns=self.now + took, ran=ran
                ))
            case ev.SendStage(request=which, route=legs):
                self.sent(which, [leg.agent for leg in legs])
            case ev.PassOn(asked=asked, peer=peer):
                self.settle(asked.request)
                self.passed.add(asked.request)
                assert (peer, asked.route) == (asked.route[0].agent, list(asked.route))
                if self.random.random() < 0.5:
                    at = self.now + ns(self.random.uniform(0.001, 0.1))
                    self.later(at, ev.Refused(request=asked.request, peer=peer, reason="unreachable"))
            case ev.CancelStage(request=which, peer=peer):
                self.holders[which].remove(peer)
            case ev.StopSending(request=which):
                assert which in self.passed
            case ev.SetTimer(at_ns=at, event=event):
                self.later(max(at, self.now), event)
            case ev.CancelTimers(request=which):
                self.cancelled.add(which)
            case ev.Deliver(span=span):
                self.ended.append(span)
            case ev.Refuse(request=which, reason=reason) if which in self.passed:
                assert reason == CHAIN_BROKEN
                self.broken[which] = self.broken.get(which, 0) + 1
            case ev.Answer(request=which, peer=peer) | ev.Refuse(request=which, peer=peer) | ev.Forget(
                request=which, peer=peer
            ):
                assert which.agent == peer
                self.settle(which)
            case ev.AbortRun(work=work):
                assert work in self.running, "an abort of what does not run"

    def settle(self, which: RequestId) -> None:
        self.settled[which] = self.settled.get(which, 0) + 1

    def sent(self, which: RequestId, agents: list[str]) -> None:
        """The last answers, perhaps twice; or one of them refuses, cannot pass it on, or is not reached; or silence."""
        self.holders[which] = set(agents)
        self.chains += len(agents) > 1
        fate = self.random.random()
        at = self.now + ns(self.random.uniform(0.005, 0.5))
        if fate < 0.6:
            self.later(at, came(which.sequence, agents[-1], before=len(agents) - 1))
            if fate < 0.1:
                self.later(at + 1, came(which.sequence, agents[-1]))
        elif fate < 0.8:
            peer = self.random.choice(agents)
            reasons = ["full", CHAIN_BROKEN] if peer != agents[-1] else ["full"]
            self.later(at, ev.Refused(request=which, peer=peer, reason=self.random.choice(reasons)))
        elif fate < 0.85:
            self.later(self.now, ev.Refused(request=which, peer=agents[0], reason="unreachable"))
