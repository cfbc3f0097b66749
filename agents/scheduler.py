"""The scheduler of one robot: which run is next, what goes to a peer, and how every request ends exactly once.

Deterministic: events in, commands out; `now` is an argument. The real loop and virtual time drive the same code.

An open request waits or runs at home (`work`), is out at a peer (`peer`), or both: then its guard has fired, or the
peer was believed lost and answers yet. Whichever answer is first counts, and ends the other.
"""

from __future__ import annotations

import msgspec

from agents import events as ev
from agents.guards import Guards, GuardStatistics
from agents.presence import Presence
from agents.queue import WorkQueue
from agents.serving import Serving, ServingStatistics
from swarm.core.clock import ns, seconds
from swarm.core.cost import fastest, named
from swarm.core.plan import Placement, Plan, Profile
from swarm.core.route import Situation, route
from swarm.core.spans import Ending, RequestId, Span

UNREACHABLE = "unreachable"          # the reason of a refusal by our own network
GRACE_NS = ns(0.5)                   # a peer's answer is waited for this long beyond the deadline
WARY_S = 0.3                         # a peer that refused gets no new work for this long


class SchedulerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    submitted: int
    ended: dict[str, int]
    duplicates: int                  # answers after the end of their request, or of peers that were not asked
    guards: GuardStatistics
    serving: ServingStatistics


class ImpossibleEvent(RuntimeError):
    """An event that cannot happen in this state: a bug; the message tells the story of its subject."""


class _Open(msgspec.Struct):
    """A request of this robot that has not ended."""

    span: Span
    peer: str = ""
    work: int | None = None


class Scheduler:
    """`profiles` are this robot's own, by model; `executors` runs go on at once."""

    def __init__(
        self, *, name: str, policy: str, profiles: dict[str, list[Profile]], presence: Presence, executors: int = 1
    ) -> None:
        self._name, self._policy, self._profiles, self._presence = name, policy, profiles, presence
        self._open: dict[RequestId, _Open] = {}
        self._queue = WorkQueue(executors)
        self._guards = Guards(profiles)
        self._serving = Serving(profiles, self._queue)
        self._plan: Plan | None = None
        self._plan_until_ns = 0
        self._placed: dict[str, Placement] = {}
        self._ended: dict[str, int] = {"completed": 0, "late": 0, "failed": 0}
        self._submitted = self._duplicates = 0

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        """What is to be done about an event. Raises: ImpossibleEvent."""
        out: list[ev.Command] = []
        match event:
            case ev.RequestArrived():
                self._arrived(event, now, out)
            case ev.StageDone():
                self._done(event, now, out)
            case ev.AnswerCame():
                self._answered(event, now, out)
            case ev.Refused(request=request, peer=peer, reason=reason):
                self._presence.wary(peer, WARY_S, now)
                self._back_home(request, peer, reason, now, out)
            case ev.LastSafeStart(request=request):
                for fired in self._guards.fire(request):
                    self._fires(self._open[fired], now)
            case ev.BudgetSpent(request=request):
                self._spent(request, now, out)
            case ev.GivenUp(request=request):
                self._given_up(request, now, out)
            case ev.PeerLost(peer=peer):
                for request in [r for r, state in self._open.items() if state.peer == peer]:
                    self._back_home(request, peer, "peer_lost", now, out)
                out += self._serving.lost(peer)
            case ev.StageAsked():
                out += self._serving.asked(event, now)
            case ev.StageCancelled():
                out += self._serving.cancelled(event)
            case ev.PlanCame(plan=plan):
                self._adopt(plan, now)
            case _:
                raise ImpossibleEvent(f"{self._name}: no rule for {event}")
        self._dispatch(now, out)
        return out

    def busy_s(self, now: int) -> float:
        """Work in hand, as peers are told: what is left of the runs and all that waits, per executor."""
        return self._queue.wait_s(now)

    def open_requests(self) -> int:
        return len(self._open)

    def statistics(self) -> SchedulerStatistics:
        return SchedulerStatistics(
            self._submitted, dict(self._ended), self._duplicates, self._guards.statistics(), self._serving.statistics()
        )

    # --- a request begins: at home, or out at a peer ---

    def _arrived(self, event: ev.RequestArrived, now: int, out: list[ev.Command]) -> None:
        stream = event.stream
        if event.request in self._open:
            raise ImpossibleEvent(f"{event.request} arrived twice: {self._open[event.request]}")
        self._submitted += 1
        self._guards.knows(stream.name, stream.model, stream.priority)
        self._supersede(stream.name, now, out)
        span = Span(
            request=event.request, stream=stream.name, model=stream.model, priority=stream.priority,
            captured_ns=event.captured_ns, submitted_ns=now, deadline_ns=event.deadline_ns,
        )
        state = self._open[event.request] = _Open(span=span)
        out.append(ev.SetTimer(at_ns=event.deadline_ns, event=ev.BudgetSpent(request=event.request)))
        choice = route(self._situation(span, now))
        if choice is None:
            self._end(state, "failed", "no_model", now, out)
            return
        span.predicted_s = choice.predicted_s + seconds(now - event.captured_ns)
        if choice.agent == self._name:
            self._wait_at_home(state, choice.variant, guard=False, now=now)
        else:
            self._send(state, choice.agent, choice.variant, now, out)

    def _supersede(self, stream: str, now: int, out: list[ev.Command]) -> None:
        """Newest wins: what still waits here on the same stream ends; what is out, or comes from there, goes on."""
        for older in self._queue.waiting_of(stream):
            state = self._open[older.request]
            if not state.span.offloaded_to:
                self._queue.remove(older.key)
                self._end(state, "failed", "superseded", now, out)

    def _situation(self, span: Span, now: int) -> Situation:
        return Situation(
            home=self._name, policy=self._policy, model=span.model, left_s=seconds(span.deadline_ns - now),
            own=self._profiles.get(span.model, ()),
            wait_s=self._queue.wait_s(now, span.priority, span.deadline_ns),
            peers=self._presence.views(now) if self._policy != "local" else {},
            placement=self._placed.get(span.stream) if now < self._plan_until_ns else None,
        )

    def _send(self, state: _Open, peer: str, variant: str, now: int, out: list[ev.Command]) -> None:
        span = state.span
        state.peer = span.offloaded_to = peer
        span.variant, span.sent_ns = variant, now
        self._presence.sent(peer, span.request, span.model, variant, now)
        out.append(ev.SendStage(
            request=span.request, peer=peer, model=span.model, variant=variant, priority=span.priority,
            deadline_ns=span.deadline_ns - ns(self._presence.way_s(peer, span.request)),
        ))
        last_safe_ns = self._guards.set(span, self._queue.running_left_ns(now), now)
        if last_safe_ns:
            span.guarded = True
            out.append(ev.SetTimer(at_ns=last_safe_ns, event=ev.LastSafeStart(request=span.request)))

    def _wait_at_home(self, state: _Open, variant: str, *, guard: bool, now: int) -> None:
        span = state.span
        profile = named(self._profiles[span.model], variant)
        assert profile is not None           # routes and guards name own profiles only
        if not state.peer:
            span.variant = variant
        span.queued_ns = now
        state.work = self._queue.add(
            request=span.request, asker="", stream=span.stream, profile=profile, priority=span.priority,
            deadline_ns=span.deadline_ns, guard=guard, now=now,
        )

    # --- what may happen on its way ---

    def _fires(self, state: _Open, now: int) -> None:
        """The last safe start of its fallback: what waits at home since the peer refused goes first."""
        state.span.guard_fired = True
        if state.work is None:
            self._fall_back(state, guard=True, now=now)
        else:
            self._queue.promote(state.work)

    def _fall_back(self, state: _Open, *, guard: bool, now: int) -> bool:
        """Run at home on the fastest variant. Returns whether there is one."""
        own = fastest(self._profiles.get(state.span.model, ()))
        if own is not None:
            self._wait_at_home(state, own.variant, guard=guard, now=now)
        return own is not None

    def _back_home(self, request: RequestId, peer: str, reason: str, now: int, out: list[ev.Command]) -> None:
        """The peer will not answer: the request waits its turn at home, unless its fallback is there already.

        Its guard stays set: at the last safe moment it goes before all else.
        """
        self._presence.dropped(peer, request)
        state = self._open.get(request)
        if state is None or state.peer != peer:
            return
        state.peer = ""
        if reason == UNREACHABLE:
            self._guards.lift(request)                       # nothing ever left: a request like any other at home
            state.span.offloaded_to, state.span.sent_ns, state.span.guarded = "", 0, False
        if state.work is None and (now >= state.span.deadline_ns or not self._fall_back(state, guard=False, now=now)):
            self._end(state, "failed", reason, now, out)

    def _spent(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        """The deadline has come: what waits is dropped, what is under way will be late."""
        state = self._open.get(request)
        if state is None:
            return
        if state.work is not None and self._queue.is_waiting(state.work):
            self._queue.remove(state.work)
            state.work = None
        if state.peer:
            out.append(ev.SetTimer(at_ns=now + GRACE_NS, event=ev.GivenUp(request=request)))
        elif state.work is None:
            self._end(state, "failed", "expired", now, out)

    def _given_up(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        state = self._open.get(request)
        if state is None or not state.peer:
            return
        self._call_back(state, out)
        if state.work is None:
            self._end(state, "failed", "no_answer", now, out)

    # --- a request ends ---

    def _answered(self, event: ev.AnswerCame, now: int, out: list[ev.Command]) -> None:
        state = self._open.get(event.request)
        if state is None or state.span.offloaded_to != event.peer:
            self._presence.dropped(event.peer, event.request)
            self._duplicates += 1
            return
        span = state.span
        away_ns = max(0, now - span.sent_ns - ns(event.held_s))
        self._presence.answered(event.peer, event.request, seconds(away_ns))
        span.returned_ns, span.peer_held_s, span.run_s, span.overrun = now, event.held_s, event.run_s, event.overrun
        span.started_ns = span.sent_ns + away_ns // 2 + ns(event.waited_s)       # as if both ways took as long
        span.finished_ns = span.started_ns + ns(event.run_s)
        span.ran_on = event.peer
        if state.work is not None and self._queue.remove(state.work) is None:
            out.append(ev.AbortRun(work=state.work))
        self._end(state, "completed" if now <= span.deadline_ns else "late", "", now, out)

    def _done(self, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        work = self._queue.finish(event.work)
        if work.asker:
            out += self._serving.done(work, event)
            return
        state = self._open.get(work.request)
        if state is None or state.work != work.key:          # the peer's answer was first
            return
        state.work = None
        if not event.ran:
            if not state.peer:
                self._end(state, "failed", "run_failed", now, out)
            return
        if state.peer:
            self._call_back(state, out)
        span = state.span
        span.ran_on, span.variant, span.overrun = self._name, work.variant, event.overrun
        span.started_ns, span.finished_ns = event.started_ns, event.finished_ns
        span.run_s = seconds(event.finished_ns - event.started_ns)
        self._end(state, "completed" if now <= span.deadline_ns else "late", "", now, out)

    def _call_back(self, state: _Open, out: list[ev.Command]) -> None:
        """The peer's answer is no longer wanted."""
        out.append(ev.CancelStage(request=state.span.request, peer=state.peer))
        self._presence.dropped(state.peer, state.span.request)
        state.peer = ""

    def _end(self, state: _Open, ending: Ending, reason: str, now: int, out: list[ev.Command]) -> None:
        span = state.span
        del self._open[span.request]
        self._guards.lift(span.request)
        span.ending, span.reason, span.ended_ns = ending, reason, now
        self._ended[ending] += 1
        out += [ev.CancelTimers(request=span.request), ev.Deliver(span=span)]

    # --- the executor, the plan ---

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
                    self._end(self._open[work.request], "failed", "expired", now, out)
            elif not self._guards.holds_back(work, now):
                self._queue.start(work.key, now)
                if not work.asker:
                    self._guards.lift(work.request)
                out.append(ev.RunStage(
                    work=work.key, request=work.request, asker=work.asker, model=work.model, variant=work.variant
                ))

    def _adopt(self, plan: Plan, now: int) -> None:
        """A newer plan, or the renewed lease of the same; an older epoch is ignored while the newer one holds."""
        if self._plan is not None and plan.epoch < self._plan.epoch and now < self._plan_until_ns:
            return
        self._plan = plan
        self._plan_until_ns = now + ns(plan.lease_s)
        self._placed = {p.stream: p for p in plan.placements if p.agent == self._name}
