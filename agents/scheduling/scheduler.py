"""The scheduler of one robot: it orders runs, sends requests to peers, and ends every request exactly once.

Deterministic: events in, commands out; `now` is an argument. The real loop and virtual time drive the same code.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.admission_budget import AdmissionBudget
from agents.scheduling.guards import Guards, GuardStatistics
from agents.scheduling.memory.keeper import Keeper
from agents.scheduling.memory.residency import Residency
from agents.scheduling.own_requests import OwnRequests
from agents.scheduling.peer_requests import PeerRequests, PeerRequestStatistics
from agents.scheduling.placements import Placements
from agents.scheduling.queue.batching import batch_with
from agents.scheduling.queue.margins import TURN_NS
from agents.scheduling.queue.preemption import leaves_too_late
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy.cost import fastest, usual
from swarm.core.policy.plan import Placement, Profile, StreamSpec
from swarm.core.protocol.messages.presence import PlanFollowed
from swarm.core.units import ns, seconds

MAX_HELD_BACK = 16                   # when guards hold back this many runs, no further peer's run is considered


class SchedulerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    submitted: int
    ended: dict[str, int]
    duplicates: int                  # answers after the end of their request, or of peers that were not asked
    preempted: int                   # runs preempted for more urgent ones
    preempted_mid_stage: int         # of these, aborted within a stage
    batches: int                     # runs of several inputs at once
    batched: int                     # requests in them
    guards: GuardStatistics
    serving: PeerRequestStatistics


class Scheduler:
    """Handles the events of one robot.

    profiles: this robot's own, by model. executors: how many runs may run at once. staged: the models and variants
    whose stages are loaded from the start. own_share: the largest share of the executors reserved for own streams.
    streams: this robot's own, as far as they are known. seed: of the policies that draw. residency: of a known memory.
    """

    def __init__(
        self, *, name: str, policy: str, profiles: dict[str, list[Profile]], peers: PeerTable, executors: int = 1,
        staged: Iterable[tuple[str, str]] = (), own_share: float = 0.0, streams: Iterable[StreamSpec] = (),
        seed: int = 0, residency: Residency | None = None,
    ) -> None:
        self._name = name
        self._variants = RunnableVariants(profiles, staged, residency)
        self._queue = RunQueue(executors)
        self._guards = Guards(self._variants.fallback)
        self._placements = Placements(name)
        self._budget = AdmissionBudget(own_share, executors)
        self._peer_requests = PeerRequests(self._variants, self._queue, peers, self._budget, self._guards.above)
        self._streams: set[str] = set()              # own streams that are registered
        self._recent_runs: list[tuple[QueuedRun, float, bool, int]] = []     # not learned from: took_s, completed, now
        self._preempted = self._mid_stage = self._batches = self._batched = 0
        self._requests = OwnRequests(
            name, policy, self._variants, peers, self._queue, self._guards, self._placements, seed)
        self._keeper = Keeper(residency, self._variants, self._queue, self._guards, self._requests)
        for stream in streams:
            self._keeper.add_stream(stream)
            self._reserve(stream)

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        """The commands that an event causes. Raises: ImpossibleEvent."""
        if self._recent_runs or self._requests.recent_ends:
            self.learn()
        out: list[ev.Command] = []
        match event:
            case ev.RequestArrived(stream=stream):
                if stream.name not in self._streams:
                    self._add_stream(stream)
                self._requests.arrived(event, now, out)
            case ev.StageDone():
                self._on_done(event, now, out)
            case ev.Preempted():
                self._on_preempted(event, now, out)
            case ev.AnswerCame():
                self._requests.answered(event, now, out)
            case ev.Refused(request=request, peer=peer) if request.agent != self._name:
                out += self._peer_requests.forward_failed(request, peer)
            case ev.Refused():
                self._requests.refused(event, now, out)
            case ev.LastSafeStart(request=request):
                self._requests.last_safe_start(request, now)
            case ev.BudgetSpent(request=request):
                self._requests.deadline_passed(request, now, out)
            case ev.GivenUp(request=request):
                self._requests.given_up(request, now, out)
            case ev.PeerLost(peer=peer):
                self._requests.lost(peer, now, out)
                out += self._peer_requests.lost(peer, now)
            case ev.StageAsked():
                out += self._peer_requests.asked(event, now)
            case ev.StageCancelled():
                out += self._peer_requests.cancelled(event, now)
            case ev.PlanCame(plan=plan, planner=planner, boot=boot):
                self._placements.adopt(plan, (planner, boot), now)
            case ev.MemoryEvent():
                if self._keeper.handle(event, now):
                    self._streams.clear()                    # they register again, with other variants
            case _:
                raise ev.ImpossibleEvent(f"{self._name}: no rule for {event}")
        self._dispatch(now, out)
        out += self._keeper.moves(now)
        out += [ev.SetTimer(at_ns=at_ns, event=ev.LastSafeStart(request=request))
                for at_ns, request in self._guards.timers(now)]
        return out

    def learn(self) -> None:
        """Learn from the last events. This is kept off the critical path: the performer calls it after it has performed
        the commands, and otherwise the next event does."""
        for work, took_s, completed, now in self._recent_runs:
            if self._variants.observe_run(work, took_s, completed, now):
                self._streams.clear()                        # they register again, with the new run times
        self._recent_runs.clear()
        self._requests.learn()

    def busy_s(self, now: int) -> float:
        """Work in hand, as reported to peers: the rest of the running runs and all waiting runs, per executor."""
        return self._queue.wait_s(now)

    def slowness(self, now: int) -> float:
        """The factor by which this robot's runs take longer than its board's profile says."""
        self.learn()
        if self._variants.recover(now):
            self._streams.clear()
        return self._variants.slowness

    def shed(self) -> list[str]:
        """The load shedding steps in force, in the order in which they were taken."""
        self.learn()
        return [str(step) for step in self._requests.load_shedding.steps]

    def queued(self) -> int:
        """Runs that wait for an executor or run, own and peers'."""
        return len(self._queue)

    def open_requests(self) -> int:
        return len(self._requests)

    def placement(self, stream: str, now: int) -> Placement | None:
        """Where the plan in force places an own stream."""
        return self._placements.placement(stream, now)

    def plan_followed(self, now: int) -> PlanFollowed | None:
        """The plan in force. None: there is none."""
        return self._placements.followed(now)

    def statistics(self) -> SchedulerStatistics:
        own = self._requests
        return SchedulerStatistics(
            own.submitted, dict(own.ended), own.duplicates, self._preempted, self._mid_stage, self._batches,
            self._batched, self._guards.statistics(), self._peer_requests.statistics(),
        )

    def _add_stream(self, stream: StreamSpec) -> None:
        """Register a stream of this robot at its first request."""
        self._streams.add(stream.name)
        self._keeper.add_stream(stream)
        self._variants.add_own_priority(stream.priority)
        profiles = self._variants.profiles.get(stream.model, ())
        own = fastest(profiles)
        if own is not None:
            self._budget.add_stream(stream, usual(profiles, stream.deadline_s).p50_s)
            self._reserve(stream)
            self._requests.load_shedding.add_stream(stream, own.p95_s)

    def _reserve(self, stream: StreamSpec) -> None:
        """Guards of less urgent streams leave time for this one, and no peer's run is more urgent than all of ours."""
        top = self._queue.top_own
        self._queue.top_own = stream.priority if top is None else max(top, stream.priority)
        profiles = self._variants.profiles.get(stream.model, ())
        if profiles:
            self._guards.above.add_stream(stream, ns(usual(profiles, stream.deadline_s).p95_s))

    def _on_done(self, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        work = self._queue.finish(event.work)
        self._recent_runs.append((work, seconds(event.finished_ns - event.started_ns), event.ran, now))
        if work.asker:
            out += self._peer_requests.done(work, event, now)
        else:
            self._requests.done(work, event, now, out)

    def _on_preempted(self, event: ev.Preempted, now: int, out: list[ev.Command]) -> None:
        """A preempted run waits again, unless it is no longer wanted."""
        work = self._queue.requeue(event.work, event.next_stage, event.finished_ns - event.started_ns, event.mid_stage,
                                   event.drawn_s, event.overrun, now)
        if work is None:
            self._on_done(ev.StageDone(
                work=event.work, started_ns=event.started_ns, finished_ns=event.finished_ns, ran=False), now, out)
            return
        self._preempted += 1
        self._mid_stage += event.mid_stage
        if not work.asker:
            self._requests.preempted(work)

    def _dispatch(self, now: int, out: list[ev.Command]) -> None:
        """Start waiting runs in order while an executor is free, then preempt less urgent runs; drop late ones."""
        if not self._queue.waiting():
            return
        running: list[QueuedRun] | None = None
        held_back = ahead_ns = 0
        for work in self._queue.in_order(now):
            if now + work.p50_ns > work.deadline_ns and not work.guard:
                self._drop(work, now, out)
            elif (work.asker and held_back >= MAX_HELD_BACK) or self._guards.holds_back(work, now):
                held_back += 1
            elif self._queue.free():
                first = self._peer_requests.own_before(work, now, self._guards.holds_back) or work
                if self._start(first, now, out) or first is not work:    # runs that were held back may start now
                    self._dispatch(now, out)
                    return
            else:
                if running is None:
                    out += self._peer_requests.overdue(now)
                    running = self._queue.running()
                if (not self._preempt_for(running, work, ahead_ns, now, out) and not self._guards.any_fired()
                        and not (work.asker and any(each.before_peers for each in running))):
                    return                                   # else a later run may preempt what this one may not
                ahead_ns += 0 if work.asker else work.p95_ns + TURN_NS

    def _drop(self, work: QueuedRun, now: int, out: list[ev.Command]) -> None:
        self._queue.remove(work.key, now)
        if work.asker:
            out.append(self._peer_requests.refuse(work, "too_late"))
        else:
            self._requests.expired(work, now, out)

    def _start(self, work: QueuedRun, now: int, out: list[ev.Command]) -> bool:
        """Start a run, in a batch if others can join it. Returns whether a promised one has started."""
        works = [work]
        if work.profile.batch_s and self._queue.waiting() > 1 and self._queue.free() == 1:   # else they run in parallel
            works = batch_with(
                work, self._queue.in_order(now), now, until_ns=self._guards.until_ns(work, now),
                in_steps=self._variants.expects_above(work.priority, now),
            )
        self._queue.start(works, now)
        self._keeper.started(works, now)
        if len(works) == 1:
            out.append(_run(work))
        else:
            out.append(ev.RunBatch(runs=[_run(each) for each in works]))
            self._batches += 1
            self._batched += len(works)
        return sum(self._guards.started(each, now) for each in works if not each.asker) > 0

    def _preempt_for(
        self, running: list[QueuedRun], work: QueuedRun, ahead_ns: int, now: int, out: list[ev.Command]
    ) -> bool:
        """Preempt the least urgent of these runs that can be preempted for a waiting one.

        One that would leave too late gives way to another one. It is removed from the list, but for a promised one that
        a later run may have to abort. A run is told again only if the urgency has grown. Returns whether an executor
        becomes free.
        """
        late: tuple[QueuedRun, float] | None = None
        for run in list(running):
            if run.aborted:                                  # its executor is about to become free
                running.remove(run)
                return True
            urgency = self._guards.urgency(run, work, ahead_ns, now)
            if urgency is None:
                continue
            if not leaves_too_late(run, work, now, urgency):
                self._preempt(running, run, urgency, out)
                return True
            late = late or (run, urgency)
        if late is not None:
            self._preempt(running, *late, out)
        return late is not None

    def _preempt(self, running: list[QueuedRun], run: QueuedRun, urgency: float, out: list[ev.Command]) -> None:
        if not run.guard or urgency:
            running.remove(run)
        if run.urgency is None or urgency > run.urgency:
            self._queue.mark_preempting(run, urgency)
            out.append(ev.Preempt(work=run.key, urgency=urgency))


def _run(work: QueuedRun) -> ev.RunStage:
    return ev.RunStage(
        work=work.key, request=work.request, asker=work.asker, model=work.model, variant=work.variant,
        leg=work.left if work.last else work.leg, resumed=work.preempted > 0,
    )
