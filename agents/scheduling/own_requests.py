"""This robot's own requests, from a frame to their one ending. Deterministic.

An open request waits or runs at home (`work`), awaits a peer's answer (`awaiting`, see `offloads.py`), or both: both if
its guard has fired, or if a peer was believed lost and its answer may still arrive. The first result counts, and the
other run is ended.

A chain of stages may begin with a leg at home and continues on peers. If one of these refuses or is lost, the whole
request runs at home: its frame is kept.
"""

from __future__ import annotations

from math import inf

from agents.peers.table import PeerTable
from agents.ports import TASK, Made
from agents.scheduling import events as ev
from agents.scheduling.chains import run_at_home, runs
from agents.scheduling.guards import Guards
from agents.scheduling.load_shedding import LoadShedding
from agents.scheduling.memory.held import Held
from agents.scheduling.offloads import UNREACHABLE, Offloads, OpenRequest
from agents.scheduling.placements import Placements
from agents.scheduling.queue.queued_run import GRACE_NS, QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy import draw, policies
from swarm.core.policy.plan import Leg, Profile
from swarm.core.policy.route import Choice, Situation, cheaper, home_choice
from swarm.core.protocol.spans import Ending, RequestId, Span
from swarm.core.units import NS, ns, seconds


class OwnRequests:
    """All open requests of one robot. Methods append their commands to `out`."""

    def __init__(
        self, name: str, policy: str, variants: RunnableVariants, peers: PeerTable, queue: RunQueue, guards: Guards,
        placements: Placements, seed: int,
    ) -> None:
        self._seed = seed                                    # of the policies that draw
        self._name, self._policy, self._variants, self._peers = name, policies.load(policy), variants, peers
        self.load_shedding = LoadShedding()
        self.recent_ends: list[tuple[Span, int]] = []        # spans not learned from yet, and when they ended
        self._queue, self._guards, self._placements = queue, guards, placements
        self._offloads = Offloads(peers, queue, guards)
        self._open: dict[RequestId, OpenRequest] = {}
        self._held = Held()
        self.ended: dict[str, int] = {"completed": 0, "late": 0, "failed": 0}
        self.submitted = self.duplicates = 0

    def learn(self) -> None:
        """Learn from the requests that have ended since the last call."""
        for span, now in self.recent_ends:
            self.load_shedding.observe_end(span, now)
        self.recent_ends.clear()

    def __len__(self) -> int:
        return len(self._open)

    # --- a request begins: at home or on peers ---

    def arrived(self, event: ev.RequestArrived, now: int, out: list[ev.Command]) -> None:
        stream = event.stream
        if event.request in self._open:
            raise ev.ImpossibleEvent(f"{event.request} arrived twice: {self._open[event.request]}")
        self.submitted += 1
        for older in self._queue.waiting_of(stream.name):
            self._supersede(older, now, out)
        if (held := self._held.of(stream.name)) is not None:
            self._end(held, "failed", "superseded", now, out)
        span = Span(
            request=event.request, stream=stream.name, model=stream.model, priority=stream.priority,
            captured_ns=event.captured_ns, submitted_ns=now, deadline_ns=event.deadline_ns)
        state = self._open[event.request] = OpenRequest(span=span)
        reason = self.load_shedding.shed_reason(stream, now) if self.load_shedding.steps else ""
        if now >= event.deadline_ns:
            reason = "expired"                               # its frame was held up on the way to us
        if reason:
            self._end(state, "failed", reason, now, out)
            return
        out.append(ev.SetTimer(at_ns=event.deadline_ns, event=ev.BudgetSpent(request=event.request)))
        loadable_s = self._variants.want(stream.model, stream.priority, deadline_s=stream.deadline_s)
        situation = self._situation(span, now, out) if self._policy.uses_peers else None
        choice = self._at_home(span, now) if situation is None else self._policy.route(situation)
        if choice is None:
            if reason := self._held.hold(state, loadable_s, now):
                self._end(state, "failed", reason, now, out)
            return
        profile = self._variants.profile(stream.model, choice.variant)
        if profile is not None:
            out += self._variants.request_stages_if_long(profile, stream.priority, now)
        span.predicted_s = choice.predicted_s + (now - event.captured_ns) / NS
        span.variant, state.transit_s, state.route = choice.variant, choice.way_s, choice.route
        state.placement = situation.placement if situation is not None and choice.rule != "soonest" else None
        if choice.route[0].agent == self._name:
            assert profile is not None           # a route that begins at home names an own variant
            state.route = choice.route[1:]
            self._enqueue(state, profile, choice.route[0], guard=False, now=now)
        else:
            self._offloads.send(state, now, out)
            if not span.guarded and self._is_in_time_at_home(span, now):
                self._fall_back(state, guard=False, now=now)     # too late to wait for the peer, not to start at once

    def _is_in_time_at_home(self, span: Span, now: int) -> bool:
        """Whether a run at home that is queued now ends by the deadline, by its p95."""
        own, wait_s = self._variants.profiles.get(span.model), self._queue.wait_s(now, span.priority, span.deadline_ns)
        return bool(own) and now + ns(wait_s + own[0].p95_s) < span.deadline_ns

    def _supersede(self, older: QueuedRun, now: int, out: list[ev.Command]) -> None:
        """Newest wins: an older waiting request of the stream fails, unless it has begun or was sent to a peer."""
        state = self._open[older.request]
        if not (state.span.offloaded_to or older.began_ns):
            self._queue.remove(older.key, now)
            self._end(state, "failed", "superseded", now, out)

    def _situation(self, span: Span, now: int, out: list[ev.Command]) -> Situation:
        placement = self._placements.placement(span.stream, now)
        if placement is not None and self._name in placement.where:
            out += self._variants.request_placed(span.model, placement, span.priority)
        situation = Situation(
            home=self._name, model=span.model, left_s=seconds(span.deadline_ns - now), placement=placement,
            own=self._variants.profiles.get(span.model, ()), missed=self._placements.missed(span.stream),
            wait_s=self._queue.wait_s(now, span.priority, span.deadline_ns), peers=self._peers.views(now),
            drawn=draw.two(self._seed, "route", self._name, span.stream, self.submitted) if self._policy.draws
            else (0.0, 0.0),
        )
        return cheaper(situation) if self.load_shedding.steps else situation

    def _enqueue(self, state: OpenRequest, profile: Profile, leg: Leg, *, guard: bool, now: int) -> None:
        span = state.span
        span.queued_ns = now
        state.work = self._queue.add(
            request=span.request, asker="", stream=span.stream, profile=profile, leg=leg, priority=span.priority,
            deadline_ns=span.deadline_ns, guard=guard, now=now)

    # --- while a request is open ---

    def last_safe_start(self, request: RequestId, now: int) -> None:
        """A guard fires: queue the fallback, or promote the run that already waits at home since a peer refused."""
        for fired in self._guards.fire(request, now):
            state = self._open[fired]
            state.span.guard_fired = True
            if state.work is None:
                self._fall_back(state, guard=True, now=now)
            else:
                self._queue.promote(state.work, now)

    def refused(self, event: ev.Refused, now: int, out: list[ev.Command]) -> None:
        """A peer refuses a request, cannot be reached, or could not pass it on."""
        state = self._open.get(event.request)
        if self._offloads.refused(state, event, now) and state is not None:
            self._return_home(state, event.reason, now, out)

    def lost(self, peer: str, now: int, out: list[ev.Command]) -> None:
        """A peer is lost. Requests that it may hold return home; peers after it in the chain may hold them, too."""
        for state in [state for state in self._open.values() if peer in state.holders]:
            state.holders = [holder for holder in state.holders if holder != peer]
            if state.awaiting:
                self._return_home(state, "peer_lost", now, out)

    def _return_home(self, state: OpenRequest, reason: str, now: int, out: list[ev.Command]) -> None:
        """No answer is expected: queue the request at home, unless its fallback is queued already.

        Its guard stays armed: from the last safe start on it is a fallback.
        """
        state.awaiting = False
        span = state.span
        if reason in (UNREACHABLE, TASK) and not span.guard_fired:   # else its fallback ran because it was an offload
            self._offloads.undo_send(state)
        if state.work is None and (now >= span.deadline_ns or not self._fall_back(state, guard=False, now=now)):
            loadable_s = self._variants.want(span.model, span.priority, deadline_s=seconds(span.deadline_ns - now))
            if self._held.hold(state, loadable_s, now):
                self._end(state, "failed", reason, now, out)

    def _fall_back(self, state: OpenRequest, *, guard: bool, now: int) -> bool:
        """Queue a whole run at home. Returns whether there is a variant."""
        choice = self._at_home(state.span, now, guard=guard)
        own = self._variants.profile(state.span.model, choice.variant) if choice is not None else None
        if own is not None:
            self._enqueue(state, own, Leg(self._name), guard=guard, now=now)
        return own is not None

    def _at_home(self, span: Span, now: int, *, guard: bool = False) -> Choice | None:
        """As accurate as time allows; on the fastest variant for a promise (`guards.py`), and while load is shed."""
        wait_s = self._queue.wait_s(now, span.priority, span.deadline_ns)
        allowed_s = -inf if guard or span.guarded or self.load_shedding.steps else seconds(span.deadline_ns - now)
        return home_choice(self._name, self._variants.profiles.get(span.model, ()), wait_s, allowed_s)

    def deadline_passed(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        """The deadline has passed: drop a waiting run; a run or an answer that is under way will be late."""
        state = self._open.get(request)
        if state is None:
            return
        self._guards.disarm(request)
        if state.work is not None and self._queue.is_waiting(state.work):
            self._queue.remove(state.work, now)
            state.work = None
        if state.awaiting:
            out.append(ev.SetTimer(at_ns=now + GRACE_NS, event=ev.GivenUp(request=request)))
        elif state.work is not None:
            out.append(ev.SetTimer(at_ns=self._queue.run(state.work).overdue_ns, event=ev.GivenUp(request=request)))
        else:
            self._end(state, "failed", "expired", now, out)

    def loaded(self, model: str, now: int) -> None:
        """A variant of a model has come into memory: what waits for it is queued."""
        for state in self._held.take(model):
            self._fall_back(state, guard=False, now=now)

    def given_up(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        """The grace time after the deadline is over: stop waiting for an answer, or for the end of a run at home."""
        state = self._open.get(request)
        if state is None:
            return
        if state.awaiting:
            self._offloads.cancel(state, now, out)
        if state.work is None:
            self._end(state, "failed", "no_answer", now, out)
        elif now < (overdue_ns := self._queue.run(state.work).overdue_ns):
            out.append(ev.SetTimer(at_ns=overdue_ns, event=ev.GivenUp(request=request)))
        else:
            if self._queue.remove(state.work, now) is None:
                out.append(ev.AbortRun(work=state.work))
            self._end(state, "failed", "overdue", now, out)

    def preempted(self, work: QueuedRun) -> None:
        """A preempted run at home waits again. If its guard has not fired, it is armed for the rest of the run."""
        self._guards.preempted(work, self._open[work.request].span.guard_fired)

    def expired(self, work: QueuedRun, now: int, out: list[ev.Command]) -> None:
        """A run at home was dropped from the queue, because it cannot be in time any more; a peer's answer can."""
        state = self._open[work.request]
        state.work = None
        if not state.awaiting:
            self._end(state, "failed", "expired", now, out)

    # --- a request ends ---

    def answered(self, event: ev.AnswerCame, now: int, out: list[ev.Command]) -> None:
        """A peer's result. A result after the end of its request, or of a peer that was not asked, is only counted."""
        state = self._open.get(event.request)
        if not self._offloads.answered(state, event, now) or state is None:
            self.duplicates += 1
            return
        if state.work is not None and self._queue.remove(state.work, now) is None:
            out.append(ev.AbortRun(work=state.work))
        self._deliver(state, event.outcome, now, out)

    def done(self, work: QueuedRun, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        """A run at home has ended: a whole run, or the first leg of a chain."""
        state = self._open.get(work.request)
        if state is None or state.work != work.key:          # a peer's answer was first
            return
        state.work = None
        span = state.span
        if not event.ran:
            self._guards.disarm(work.request)
            if not state.awaiting:
                self._end(state, "failed", event.reason, now, out)
            return
        run_s = (work.ran_ns + event.finished_ns - event.started_ns) / NS
        span.preempted, span.aside_s = span.preempted + work.preempted, span.aside_s + seconds(work.aside_ns)
        span.drawn_s, span.overrun = work.drawn_s + event.drawn_s, event.overrun or work.overrun
        if work.leg.last:
            waited_s = seconds(event.finished_ns - work.queued_ns) - run_s
            span.legs = [run_at_home(self._name, work.leg, run_s, waited_s), *runs(state.route)]
            self._continue_on_peers(state, event.made, now, out)
            return
        span.ran_on, span.variant, span.run_s, span.batch = self._name, work.variant, run_s, work.batch
        span.started_ns, span.finished_ns = work.began_ns, event.finished_ns
        self._deliver(state, event.made, now, out)

    def _continue_on_peers(self, state: OpenRequest, made: Made | None, now: int, out: list[ev.Command]) -> None:
        """The leg at home is done: send its result to the peers, if there is time and all of them are alive."""
        if now >= state.span.deadline_ns:
            self._end(state, "failed", "expired", now, out)
        elif self._offloads.can_continue(state, now):
            assert made is None or isinstance(made, list)
            self._offloads.send(state, now, out, made)
        else:
            self._return_home(state, UNREACHABLE, now, out)

    def _deliver(self, state: OpenRequest, outcome: Made | None, now: int, out: list[ev.Command]) -> None:
        """End a request with its result, from home or from a peer."""
        self._end(state, "completed" if now <= state.span.deadline_ns else "late", "", now, out, outcome)

    def _end(self, state: OpenRequest, ending: Ending, reason: str, now: int, out: list[ev.Command],
             outcome: Made | None = None) -> None:
        span = state.span
        if state.holders:
            self._offloads.cancel(state, now, out)
        del self._open[span.request]
        if span.guarded:
            self._guards.disarm(span.request)
        span.ending, span.reason, span.ended_ns = ending, self._held.reason(state, reason), now
        self.ended[ending] += 1
        self.recent_ends.append((span, now))
        self._placements.ended(state.placement, ending == "completed")
        out += [ev.CancelTimers(request=span.request), ev.Deliver(span=span, outcome=outcome)]
