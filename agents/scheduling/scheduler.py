"""The scheduler of one robot: which run is next, what goes to a peer, and how every request ends exactly once.

Deterministic: events in, commands out; `now` is an argument. The real loop and virtual time drive the same code.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.admission import AdmissionBudget
from agents.scheduling.guards import Guards, GuardStatistics
from agents.scheduling.own_requests import ImpossibleEvent, OwnRequests
from agents.scheduling.peer_requests import PeerRequests, PeerRequestStatistics
from agents.scheduling.placements import Placements
from agents.scheduling.queue.batching import together
from agents.scheduling.queue.preemption import impatience
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy.cost import fastest
from swarm.core.policy.plan import Profile, StreamSpec
from swarm.core.units import seconds

MOST_HELD = 16                       # runs that guards hold back, past which no peer's is looked at


class SchedulerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    submitted: int
    ended: dict[str, int]
    duplicates: int                  # answers after the end of their request, or of peers that were not asked
    preempted: int                   # runs set aside for more urgent ones
    cut: int                         # of these, within a stage
    batches: int                     # runs of several inputs at once
    batched: int                     # requests in them
    guards: GuardStatistics
    serving: PeerRequestStatistics


class Scheduler:
    """`profiles` are this robot's own, by model; `executors` runs go on at once; `staged` are the models and variants
    whose stages are loaded from the start; `own_share` of the executors is kept for own streams that need it."""

    def __init__(
        self, *, name: str, policy: str, profiles: dict[str, list[Profile]], peers: PeerTable, executors: int = 1,
        staged: Iterable[tuple[str, str]] = (), own_share: float = 0.0,
    ) -> None:
        self._name = name
        self._variants = RunnableVariants(profiles, staged)
        self._queue = RunQueue(executors)
        self._guards = Guards(self._variants.profiles)
        self._placements = Placements(name)
        self._budget = AdmissionBudget(own_share, executors)
        self._peer_requests = PeerRequests(self._variants, self._queue, peers, self._budget)
        self._streams: set[str] = set()              # of this robot, that were seen
        self._ran: list[tuple[QueuedRun, float, bool, int]] = []     # to learn from: how long, to its end, when
        self._preempted = self._cut = self._batches = self._batched = 0
        self._requests = OwnRequests(
            name, policy, self._variants, peers, self._queue, self._guards, self._placements)

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        """What is to be done about an event. Raises: ImpossibleEvent."""
        if self._ran or self._requests.ends:
            self.reflect()
        out: list[ev.Command] = []
        match event:
            case ev.RequestArrived(stream=stream):
                if stream.name not in self._streams:
                    self._meet(stream)
                self._requests.arrived(event, now, out)
            case ev.StageDone():
                self._done(event, now, out)
            case ev.SetAside():
                self._set_aside(event, now, out)
            case ev.AnswerCame():
                self._requests.answered(event, now, out)
            case ev.Refused(request=request, peer=peer) if request.agent != self._name:
                out += self._peer_requests.not_taken(request, peer)
            case ev.Refused():
                self._requests.refused(event, now, out)
            case ev.LastSafeStart(request=request):
                self._requests.last_safe(request, now)
            case ev.BudgetSpent(request=request):
                self._requests.spent(request, now, out)
            case ev.GivenUp(request=request):
                self._requests.given_up(request, now, out)
            case ev.PeerLost(peer=peer):
                self._requests.lost(peer, now, out)
                out += self._peer_requests.lost(peer, now)
            case ev.StageAsked():
                out += self._peer_requests.asked(event, now)
            case ev.StageCancelled():
                out += self._peer_requests.cancelled(event, now)
            case ev.PlanCame(plan=plan):
                self._placements.adopt(plan, now)
            case ev.StagesLoaded(model=model, variant=variant):
                self._variants.loaded(model, variant)
            case _:
                raise ImpossibleEvent(f"{self._name}: no rule for {event}")
        self._dispatch(now, out)
        return out

    def reflect(self) -> None:
        """Learn from the last event. Nobody waits for that: the performer calls it after the commands, or else the
        next event does."""
        for work, took_s, ended, now in self._ran:
            if self._variants.ran(work, took_s, ended, now):
                self._streams.clear()                        # they are met anew, at the speed that holds now
        self._ran.clear()
        self._requests.reflect()

    def busy_s(self, now: int) -> float:
        """Work in hand, as peers are told: what is left of the runs and all that waits, per executor."""
        return self._queue.wait_s(now)

    def slowness(self, now: int) -> float:
        """How many times as long as its board's profile says this robot takes."""
        self.reflect()
        if self._variants.rested(now):
            self._streams.clear()
        return self._variants.slowness

    def given_up(self) -> list[str]:
        """What is given up now because not all requests can be met, in the order in which it was."""
        self.reflect()
        return [str(step) for step in self._requests.load_shedding.steps]

    def open_requests(self) -> int:
        return len(self._requests)

    def statistics(self) -> SchedulerStatistics:
        own = self._requests
        return SchedulerStatistics(
            own.submitted, dict(own.ended), own.duplicates, self._preempted, self._cut, self._batches, self._batched,
            self._guards.statistics(), self._peer_requests.statistics(),
        )

    def _meet(self, stream: StreamSpec) -> None:
        """The first request of a stream of this robot."""
        self._streams.add(stream.name)
        self._variants.meets(stream.priority)
        own = fastest(self._variants.profiles.get(stream.model, ()))
        if own is not None:
            self._budget.knows(stream, own.p50_s)
            self._guards.knows(stream.name, own.p95_s, stream.priority)
            self._requests.load_shedding.meets(stream, own.p95_s)

    def _done(self, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        work = self._queue.finish(event.work)
        self._ran.append((work, seconds(event.finished_ns - event.started_ns), event.ran, now))
        if work.asker:
            out += self._peer_requests.done(work, event, now)
        else:
            self._requests.done(work, event, now, out)

    def _set_aside(self, event: ev.SetAside, now: int, out: list[ev.Command]) -> None:
        """A run waits again; unless nobody wants it any more."""
        ran_ns = event.finished_ns - event.started_ns
        work = self._queue.set_aside(event.work, event.reached, ran_ns, event.cut, event.overrun, now)
        if work is None:
            self._done(ev.StageDone(
                work=event.work, started_ns=event.started_ns, finished_ns=event.finished_ns, ran=False
            ), now, out)
            return
        self._preempted += 1
        self._cut += event.cut
        if not work.asker:
            self._requests.set_aside(work, now, out)

    def _dispatch(self, now: int, out: list[ev.Command]) -> None:
        """Start what is next while an executor is free, or have one freed; what cannot be in time is dropped."""
        if not self._queue.waiting():
            return
        running: list[QueuedRun] | None = None
        held = 0
        for work in self._queue.in_order(now):
            if now + work.p50_ns > work.deadline_ns and not work.guard:
                self._drop(work, now, out)
            elif (work.asker and held >= MOST_HELD) or self._guards.holds_back(work, now):
                held += 1
            elif self._queue.free():
                if self._start(work, now, out):              # a guard less: what it held back may go, too
                    self._dispatch(now, out)
                    return
            else:
                running = self._queue.running() if running is None else running
                if not self._makes_room(running, work, now, out):
                    return

    def _drop(self, work: QueuedRun, now: int, out: list[ev.Command]) -> None:
        self._queue.remove(work.key, now)
        if work.asker:
            out.append(self._peer_requests.refuse(work, "too_late"))
        else:
            self._requests.expired(work, now, out)

    def _start(self, work: QueuedRun, now: int, out: list[ev.Command]) -> bool:
        """Start a run, with others if they may join it. Returns whether this lifts a guard."""
        works = [work]
        if work.profile.batch_s and self._queue.waiting() > 1 and self._queue.free() == 1:   # else they run beside it
            works = together(
                work, self._queue.in_order(now), now, until_ns=self._guards.needed_ns(work.request),
                in_steps=self._variants.knows_above(work.priority, now),
            )
        self._queue.start(works, now)
        if len(works) == 1:
            out.append(_run(work))
            return not work.asker and self._guards.lift(work.request)
        out.append(ev.RunBatch(runs=[_run(each) for each in works]))
        self._batches += 1
        self._batched += len(works)
        return sum(self._guards.lift(each.request) for each in works if not each.asker) > 0

    def _makes_room(self, running: list[QueuedRun], work: QueuedRun, now: int, out: list[ev.Command]) -> bool:
        """Whether one of these runs, the least urgent that can, gives way to one that waits; it is taken off the list.

        It is told so once, and again where more is at stake.
        """
        while running:
            run = running.pop(0)
            if run.aborted:                                  # its executor is as good as free
                return True
            how = impatience(run, work, now)
            if how is None:
                continue
            if run.impatience is None or how > run.impatience:
                self._queue.told(run, how)
                out.append(ev.Preempt(work=run.key, impatience=how))
            return True
        return False


def _run(work: QueuedRun) -> ev.RunStage:
    return ev.RunStage(
        work=work.key, request=work.request, asker=work.asker, model=work.model, variant=work.variant,
        leg=work.left if work.last else work.leg, resumed=work.preempted > 0,
    )
