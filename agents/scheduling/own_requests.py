"""This robot's own requests, from a frame to their one ending. Deterministic.

An open request waits or runs at home (`work`), is out at peers (`out`, see `offloads.py`), or both: then its guard has
fired, or a peer was believed lost and its answer may still come. The first answer counts, and ends the other run.

A chain of stages begins with a leg at home, if its route says so, and goes on to peers. If any of them refuses or is
lost, the request comes home, whole: its frame is kept.
"""

from __future__ import annotations

from agents.peers.table import PeerTable
from agents.ports import Made
from agents.scheduling import events as ev
from agents.scheduling.chains import runs
from agents.scheduling.guards import Guards
from agents.scheduling.load_shedding import LoadShedding
from agents.scheduling.offloads import UNREACHABLE, Offloads, OpenRequest
from agents.scheduling.placements import Placements
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy import policies
from swarm.core.policy.cost import fastest
from swarm.core.policy.plan import Leg, Profile
from swarm.core.policy.route import Situation, cheaper, home_choice, next_best
from swarm.core.protocol.spans import Ending, LegRun, RequestId, Span
from swarm.core.units import NS, ns, seconds

GRACE_NS = ns(0.5)                   # a peer's answer is waited for this long beyond the deadline
SAMPLED = 16                         # of so many requests, one has its next best choice recorded


class ImpossibleEvent(RuntimeError):
    """An event that cannot happen in this state: a bug; the message tells the story of its subject."""


class OwnRequests:
    """All open requests of one robot. Methods add what is to be done to `out`."""

    def __init__(
        self, name: str, policy: str, variants: RunnableVariants, peers: PeerTable, queue: RunQueue, guards: Guards,
        placements: Placements,
    ) -> None:
        self._name, self._policy, self._variants, self._peers = name, policies.load(policy), variants, peers
        self.load_shedding = LoadShedding()
        self.ends: list[tuple[Span, int]] = []               # to learn from, and when
        self._queue, self._guards, self._placements = queue, guards, placements
        self._offloads = Offloads(peers, queue, guards)
        self._open: dict[RequestId, OpenRequest] = {}
        self.ended: dict[str, int] = {"completed": 0, "late": 0, "failed": 0}
        self.submitted = self.duplicates = 0

    def reflect(self) -> None:
        """Learn from what has ended."""
        for span, now in self.ends:
            self.load_shedding.ended(span, now)
        self.ends.clear()

    def __len__(self) -> int:
        return len(self._open)

    # --- a request begins: at home, or out at peers ---

    def arrived(self, event: ev.RequestArrived, now: int, out: list[ev.Command]) -> None:
        stream = event.stream
        if event.request in self._open:
            raise ImpossibleEvent(f"{event.request} arrived twice: {self._open[event.request]}")
        self.submitted += 1
        for older in self._queue.waiting_of(stream.name):
            self._supersede(older, now, out)
        span = Span(
            request=event.request, stream=stream.name, model=stream.model, priority=stream.priority,
            captured_ns=event.captured_ns, submitted_ns=now, deadline_ns=event.deadline_ns,
        )
        state = self._open[event.request] = OpenRequest(span=span)
        reason = self.load_shedding.refuses(stream, now) if self.load_shedding.steps else ""
        if reason:
            self._end(state, "failed", reason, now, out)
            return
        out.append(ev.SetTimer(at_ns=event.deadline_ns, event=ev.BudgetSpent(request=event.request)))
        situation = self._situation(span, now, out) if self._policy.uses_peers else None
        if situation is None:                                # without a look at what is not asked for
            wait_s = self._queue.wait_s(now, stream.priority, event.deadline_ns)
            choice = home_choice(self._name, self._variants.profiles.get(stream.model, ()), wait_s)
        else:
            choice = self._policy.route(situation)
        if choice is None:
            self._end(state, "failed", "no_model", now, out)
            return
        profile = self._variants.has(stream.model, choice.variant)
        if profile is not None:
            out += self._variants.want_steps(profile, stream.priority, now)
        age_s = (now - event.captured_ns) / NS
        span.predicted_s = choice.predicted_s + age_s
        if situation is not None and event.request.sequence % SAMPLED == 0:
            other = next_best(situation, choice)
            if other is not None:
                span.other, span.other_s = other.agent, other.predicted_s + age_s
        span.variant, state.way_s, state.route = choice.variant, choice.way_s, choice.route
        if choice.route[0].agent == self._name:
            assert profile is not None           # routes name own profiles only where they begin at home
            state.route = choice.route[1:]
            self._wait_at_home(state, profile, choice.route[0], guard=False, now=now)
        else:
            self._offloads.send(state, now, out)

    def _supersede(self, older: QueuedRun, now: int, out: list[ev.Command]) -> None:
        """Newest wins: what waits here on the same stream ends; what has begun, is out, or was out, goes on."""
        state = self._open[older.request]
        if not (state.span.offloaded_to or older.began_ns):
            self._queue.remove(older.key, now)
            self._end(state, "failed", "superseded", now, out)

    def _situation(self, span: Span, now: int, out: list[ev.Command]) -> Situation:
        placement = self._placements.placement(span.stream, now)
        if placement is not None and self._name in placement.where and len(placement.where) > 1:
            out += self._variants.want(span.model, placement.variant)
        situation = Situation(
            home=self._name, model=span.model, left_s=seconds(span.deadline_ns - now),
            own=self._variants.profiles.get(span.model, ()), placement=placement,
            wait_s=self._queue.wait_s(now, span.priority, span.deadline_ns), peers=self._peers.views(now),
        )
        return cheaper(situation) if self.load_shedding.steps else situation

    def _wait_at_home(self, state: OpenRequest, profile: Profile, leg: Leg, *, guard: bool, now: int) -> None:
        span = state.span
        span.queued_ns = now
        state.work = self._queue.add(
            request=span.request, asker="", stream=span.stream, profile=profile, leg=leg, priority=span.priority,
            deadline_ns=span.deadline_ns, guard=guard, now=now, promised=span.guarded,
        )

    # --- what may happen on its way ---

    def last_safe(self, request: RequestId, now: int) -> None:
        """A guard's moment has come: what waits at home since a peer refused goes first, else the fallback begins."""
        for fired in self._guards.fire(request, now):
            state = self._open[fired]
            state.span.guard_fired = True
            if state.work is None:
                self._fall_back(state, guard=True, now=now)
            else:
                self._queue.promote(state.work, now)

    def refused(self, event: ev.Refused, now: int, out: list[ev.Command]) -> None:
        """A peer will not run it, could not be reached, or could not pass it on."""
        state = self._open.get(event.request)
        if self._offloads.refused(state, event, now) and state is not None:
            self._come_home(state, event.reason, now, out)

    def lost(self, peer: str, now: int, out: list[ev.Command]) -> None:
        """A peer is gone, and with it perhaps what it had; those after it may have it already."""
        for state in [state for state in self._open.values() if peer in state.holders]:
            state.holders = [holder for holder in state.holders if holder != peer]
            if state.out:
                self._come_home(state, "peer_lost", now, out)

    def _come_home(self, state: OpenRequest, reason: str, now: int, out: list[ev.Command]) -> None:
        """No answer is to be expected: the request waits its turn at home, unless its fallback is there already.

        Its guard stays set: at the last safe moment it goes before all else.
        """
        state.out = False
        span = state.span
        if reason == UNREACHABLE:
            self._offloads.unsent(state)
        if state.work is None and (now >= span.deadline_ns or not self._fall_back(state, guard=False, now=now)):
            self._end(state, "failed", reason, now, out)

    def _fall_back(self, state: OpenRequest, *, guard: bool, now: int) -> bool:
        """Run at home, whole, on the fastest variant. Returns whether there is one."""
        own = fastest(self._variants.profiles.get(state.span.model, ()))
        if own is not None:
            self._wait_at_home(state, own, Leg(self._name), guard=guard, now=now)
        return own is not None

    def spent(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        """The deadline has come: what waits is dropped, what is under way will be late."""
        state = self._open.get(request)
        if state is None:
            return
        if state.work is not None and self._queue.is_waiting(state.work):
            self._queue.remove(state.work, now)
            state.work = None
        if state.out:
            out.append(ev.SetTimer(at_ns=now + GRACE_NS, event=ev.GivenUp(request=request)))
        elif state.work is None:
            self._end(state, "failed", "expired", now, out)

    def given_up(self, request: RequestId, now: int, out: list[ev.Command]) -> None:
        state = self._open.get(request)
        if state is None or not state.out:
            return
        self._offloads.call_back(state, now, out)
        if state.work is None:
            self._end(state, "failed", "no_answer", now, out)

    def set_aside(self, work: QueuedRun, now: int, out: list[ev.Command]) -> None:
        """A run at home waits again. What was promised still is: it goes before all else when it must."""
        span = self._open[work.request].span
        if not span.guarded or work.guard:
            return
        last_safe_ns = self._guards.keep(span, work.p95_ns, self._queue.running_left_ns(now), now)
        if last_safe_ns:
            out.append(ev.SetTimer(at_ns=last_safe_ns, event=ev.LastSafeStart(request=span.request)))
        elif now + work.p95_ns <= span.deadline_ns:
            self._queue.promote(work.key, now)

    def expired(self, work: QueuedRun, now: int, out: list[ev.Command]) -> None:
        """A run at home was taken out of the queue: it could not have been in time."""
        self._end(self._open[work.request], "failed", "expired", now, out)

    # --- a request ends ---

    def answered(self, event: ev.AnswerCame, now: int, out: list[ev.Command]) -> None:
        """A peer's result; one that comes too late, or that nobody asked for, is only counted."""
        state = self._open.get(event.request)
        if not self._offloads.answered(state, event, now) or state is None:
            self.duplicates += 1
            return
        if state.work is not None and self._queue.remove(state.work, now) is None:
            out.append(ev.AbortRun(work=state.work))
        self._deliver(state, event.outcome, now, out)

    def done(self, work: QueuedRun, event: ev.StageDone, now: int, out: list[ev.Command]) -> None:
        """A run at home has ended: a result, or the first leg of a chain."""
        state = self._open.get(work.request)
        if state is None or state.work != work.key:          # the peers' answer was first
            return
        state.work = None
        span = state.span
        if not event.ran:
            if not state.out:
                self._end(state, "failed", "run_failed", now, out)
            return
        run_s = (work.ran_ns + event.finished_ns - event.started_ns) / NS
        if work.preempted:
            span.preempted, span.aside_s = span.preempted + work.preempted, span.aside_s + seconds(work.aside_ns)
        if work.leg.last:
            waited_s = seconds(event.finished_ns - work.queued_ns) - run_s
            here = LegRun(agent=self._name, first=work.leg.first, last=work.leg.last, run_s=run_s, waited_s=waited_s)
            span.legs, span.overrun = [here, *runs(state.route)], event.overrun or work.overrun
            self._go_on(state, event.made, now, out)
            return
        span.ran_on, span.variant, span.run_s, span.batch = self._name, work.variant, run_s, work.batch
        span.started_ns, span.finished_ns = work.began_ns, event.finished_ns
        span.overrun = event.overrun or work.overrun
        self._deliver(state, event.made, now, out)

    def _go_on(self, state: OpenRequest, made: Made | None, now: int, out: list[ev.Command]) -> None:
        """The leg at home is done: on to the peers, if there is time and they are still there."""
        if now >= state.span.deadline_ns:
            self._end(state, "failed", "expired", now, out)
        elif self._offloads.can_go_on(state, now):
            assert made is None or isinstance(made, list)
            self._offloads.send(state, now, out, made)
        else:
            self._come_home(state, UNREACHABLE, now, out)

    def _deliver(self, state: OpenRequest, outcome: Made | None, now: int, out: list[ev.Command]) -> None:
        """A result is there, at home or from a peer."""
        self._end(state, "completed" if now <= state.span.deadline_ns else "late", "", now, out, outcome)

    def _end(
        self, state: OpenRequest, ending: Ending, reason: str, now: int, out: list[ev.Command],
        outcome: Made | None = None,
    ) -> None:
        span = state.span
        if state.holders:
            self._offloads.call_back(state, now, out)
        del self._open[span.request]
        if span.guarded:
            self._guards.lift(span.request)
        span.ending, span.reason, span.ended_ns = ending, reason, now
        self.ended[ending] += 1
        self.ends.append((span, now))
        out += [ev.CancelTimers(request=span.request), ev.Deliver(span=span, outcome=outcome)]
