"""A scheduler with its drivers replaced: a fake clock, a fake executor, and peers that answer as told."""

from __future__ import annotations

import heapq
import itertools
import random

from agents import events as ev
from agents.presence import Presence
from agents.scheduler import Scheduler
from swarm.core.clock import ns
from swarm.core.messages import Advert
from swarm.core.plan import Placement, Plan, Profile, StreamSpec
from swarm.core.spans import RequestId, Span

BOOT = 1


def profile(model: str = "detector", p50_s: float = 0.030, variant: str = "int8") -> Profile:
    return Profile(
        model=model, variant=variant, p50_s=p50_s, p95_s=p50_s * 1.2, memory_bytes=1, accuracy=0.9, input_bytes=20_000
    )


def stream(name: str = "detect", model: str = "detector", deadline_s: float = 0.1, priority: int = 0) -> StreamSpec:
    return StreamSpec(name=name, model=model, rate_hz=5, deadline_s=deadline_s, priority=priority)


def presence(**peers: list[Profile]) -> Presence:
    """Peers heard at time 0, with these profiles."""
    known = Presence()
    for name, profiles in peers.items():
        known.heard(name, BOOT, 0.0, 0)
        known.advertised(name, BOOT, Advert(board="b", executors=1, profiles=profiles, streams=[]))
    return known


def scheduler(policy: str = "greedy", known: Presence | None = None, **own: float) -> Scheduler:
    """A robot `me` whose models take these seconds."""
    profiles = {model: [profile(model, s)] for model, s in own.items()}
    return Scheduler(name="me", policy=policy, profiles=profiles, presence=known or Presence())


def arrived(sequence: int, spec: StreamSpec, now: int = 0) -> ev.RequestArrived:
    return ev.RequestArrived(
        request=request(sequence), stream=spec, captured_ns=now, deadline_ns=now + ns(spec.deadline_s)
    )


def request(sequence: int, agent: str = "me") -> RequestId:
    return RequestId(agent, BOOT, sequence)


def asked(sequence: int, model: str = "detector", deadline_ns: int = ns(0.2), peer: str = "asker") -> ev.StageAsked:
    return ev.StageAsked(
        request=request(sequence, peer), peer=peer, model=model, variant="int8", priority=0, deadline_ns=deadline_ns
    )


def came(sequence: int, peer: str) -> ev.AnswerCame:
    return ev.AnswerCame(request=request(sequence), peer=peer, run_s=0.01, waited_s=0.0, held_s=0.01)


def plan_for(stream_name: str, where: str, epoch: int = 1, lease_s: float = 3.0) -> ev.PlanCame:
    placement = Placement(agent="me", stream=stream_name, variant="int8", where=[where])
    return ev.PlanCame(plan=Plan(epoch=epoch, lease_s=lease_s, placements=[placement]))


def of(kind: type, commands: list[ev.Command]) -> list:
    return [c for c in commands if isinstance(c, kind)]


def endings(commands: list[ev.Command]) -> list[tuple[str, str]]:
    return [(d.span.ending, d.span.reason) for d in of(ev.Deliver, commands)]


class Simulation:
    """One robot against random frames, peers, losses and refusals; every command is checked as it is done."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0
        self.order = itertools.count()
        self.agenda: list[tuple[int, int, ev.Event]] = []
        self.known = presence(mule=[profile(), profile("segmenter", 0.05)], ox=[profile()])
        self.scheduler = scheduler("planner", self.known, detector=0.03, segmenter=0.2)
        self.running: set[int] = set()
        self.cancelled: set[RequestId] = set()
        self.submitted = 0
        self.ended: list[Span] = []
        self.asked: set[RequestId] = set()
        self.answers: dict[RequestId, int] = {}

    def run(self, frames: int = 40) -> None:
        specs = [stream(deadline_s=0.1, priority=2), stream("segment", "segmenter", deadline_s=0.4)]
        for i in range(frames):
            at = ns(0.05 * i + self.random.uniform(0, 0.02))
            spec = specs[i % 3 == 2]
            self.later(at, arrived(i, spec, at))
            if self.random.random() < 0.3:
                self.later(at, asked(i, deadline_ns=at + ns(self.random.uniform(0.01, 0.3))))
            if self.random.random() < 0.1:
                self.later(at + ns(0.05), ev.StageCancelled(request=request(i, "asker"), peer="asker"))
            if self.random.random() < 0.1:
                where = self.random.choice(["me", "mule", "ox"])
                self.later(at, plan_for(self.random.choice(["detect", "segment"]), where, epoch=i))
        for _ in range(3):
            self.later(ns(self.random.uniform(0, 2)), ev.PeerLost(peer=self.random.choice(["mule", "ox", "asker"])))
        while self.agenda:
            self.now, _, event = heapq.heappop(self.agenda)
            self.submitted += isinstance(event, ev.RequestArrived)
            if isinstance(event, ev.StageAsked):
                self.asked.add(event.request)
            if isinstance(event, ev.StageDone):
                self.running.remove(event.work)
            if isinstance(event, ev.LastSafeStart | ev.BudgetSpent | ev.GivenUp) and event.request in self.cancelled:
                continue
            for peer in ("mule", "ox"):
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
            case ev.SendStage(request=which, peer=peer):
                fate = self.random.random()
                at = self.now + ns(self.random.uniform(0.005, 0.5))
                if fate < 0.6:
                    self.later(at, ev.AnswerCame(request=which, peer=peer, run_s=0.01, waited_s=0, held_s=0.01))
                    if fate < 0.1:
                        self.later(at + 1, ev.AnswerCame(request=which, peer=peer, run_s=0.01, waited_s=0, held_s=0))
                elif fate < 0.8:
                    self.later(at, ev.Refused(request=which, peer=peer, reason="full"))
            case ev.SetTimer(at_ns=at, event=event):
                self.later(max(at, self.now), event)
            case ev.CancelTimers(request=which):
                self.cancelled.add(which)
            case ev.Deliver(span=span):
                self.ended.append(span)
            case ev.Answer(request=which, peer=peer) | ev.Refuse(request=which, peer=peer) | ev.Forget(
                request=which, peer=peer
            ):
                assert which.agent == peer
                self.answers[which] = self.answers.get(which, 0) + 1
            case ev.AbortRun(work=work):
                assert work in self.running, "an abort of what does not run"
