"""The scheduler of one robot: which run is next, what goes to a peer, and how every request ends exactly once.

Deterministic: events in, commands out; `now` is an argument. The real loop and virtual time drive the same code.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agents import events as ev
from agents.guards import Guards, GuardStatistics
from agents.plans import Plans
from agents.presence import Presence
from agents.queue import WorkQueue
from agents.ready import Ready
from agents.requests import ImpossibleEvent, Requests
from agents.serving import Serving, ServingStatistics
from swarm.core.plan import Profile


class SchedulerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    submitted: int
    ended: dict[str, int]
    duplicates: int                  # answers after the end of their request, or of peers that were not asked
    guards: GuardStatistics
    serving: ServingStatistics


class Scheduler:
    """`profiles` are this robot's own, by model; `executors` runs go on at once; `staged` are the models and variants
    whose stages are loaded from the start."""

    def __init__(
        self, *, name: str, policy: str, profiles: dict[str, list[Profile]], presence: Presence, executors: int = 1,
        staged: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._name = name
        self._ready = Ready(profiles, staged)
        self._queue = WorkQueue(executors)
        self._guards = Guards(self._ready.profiles)
        self._plans = Plans(name)
        self._serving = Serving(self._ready, self._queue, presence)
        self._requests = Requests(name, policy, self._ready, presence, self._queue, self._guards, self._plans)

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        """What is to be done about an event. Raises: ImpossibleEvent."""
        out: list[ev.Command] = []
        match event:
            case ev.RequestArrived():
                self._requests.arrived(event, now, out)
            case ev.StageDone():
                self._done(event, now, out)
            case ev.AnswerCame():
                self._requests.answered(event, now, out)
            case ev.Refused(request=request, peer=peer) if request.agent != self._name:
                out += self._serving.not_taken(request, peer)
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
                out += self._serving.lost(peer, now)
            case ev.StageAsked():
                out += self._serving.asked(event, now)
            case ev.StageCancelled():
                out += self._serving.cancelled(event)
            case ev.PlanCame(plan=plan):
                self._plans.adopt(plan, now)
            case ev.StagesLoaded(model=model, variant=variant):
                self._ready.loaded(model, variant)
            case _:
                raise ImpossibleEvent(f"{self._name}: no rule for {event}")
        self._dispatch(now, out)
        return out

    def busy_s(self, now: int) -> float:
        """Work in hand, as peers are told: what is left of the runs and all that waits, per executor."""
        return self._queue.wait_s(now)

    def open_requests(self) -> int:
        return len(self._requests)

    def statistics(self) -> SchedulerStatistics:
        own = self._requests
        return SchedulerStatistics(
            own.submitted, dict(own.ended), own.duplicates, self._guards.statistics(), self._serving.statistics()
        )

    def _done(self, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        work = self._queue.finish(event.work)
        if work.asker:
            out += self._serving.done(work, event, now)
        else:
            self._requests.done(work, event, now, out)

    def _dispatch(self, now: int, out: list[ev.Command]) -> None:
        """Start what is next while an executor is free; what cannot make its deadline any more is dropped."""
        for work in self._queue.in_order():
            if not self._queue.free():
                return
            if now + work.p50_ns > work.deadline_ns and not work.guard:
                self._queue.remove(work.key)
                if work.asker:
                    out.append(self._serving.refuse(work, "too_late"))
                else:
                    self._requests.expired(work, now, out)
            elif not self._guards.holds_back(work, now):
                self._queue.start(work.key, now)
                if not work.asker:
                    self._guards.lift(work.request)
                out.append(ev.RunStage(
                    work=work.key, request=work.request, asker=work.asker, model=work.model, variant=work.variant,
                    leg=work.leg,
                ))
