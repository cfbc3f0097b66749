"""Work that peers ask for: admitted or refused at once, passed on or answered, dropped when nobody waits for it.

A leg of a chain is asked for by the agent of the leg before; it is the owner of the request who is answered, and told
where the chain breaks. Deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.admission import AdmissionBudget
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy.cost import away_s, leg_p50_s
from swarm.core.policy.plan import Profile, is_chain
from swarm.core.protocol.spans import LegTimes, RequestId
from swarm.core.units import ns, seconds

QUEUE_BOUND = 32                     # runs that wait, past which no peer's is taken
PEER_BOUND = QUEUE_BOUND // 4        # runs that wait for one peer: it cannot keep the others out
MEMORY = 256                         # requests that are remembered after they have left, or were called off early
CHAIN_BROKEN = "chain_broken"
REFUSALS = ("full", "share", "too_late", "unknown_model", "loading", "malformed", "duplicate", "failed", CHAIN_BROKEN)

V = TypeVar("V")


class PeerRequestStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    asked: int
    answered: int
    passed_on: int
    refused: dict[str, int]


class _Passed(msgspec.Struct, frozen=True):
    """A request that has gone on to the next leg."""

    to: str
    deadline_ns: int


class PeerRequests:
    """Shares the robot's queue, and with it the policy, with the robot's own work."""

    def __init__(self, variants: RunnableVariants, queue: RunQueue, peers: PeerTable, budget: AdmissionBudget) -> None:
        self._variants, self._queue, self._peers, self._budget = variants, queue, peers, budget
        self._asks: dict[int, ev.StageAsked] = {}            # by the key of their work
        self._passed: dict[RequestId, _Passed] = {}
        self._unwanted: dict[RequestId, None] = {}           # called off before they came
        self._counts = {"asked": 0, "answered": 0, "passed_on": 0}
        self._refused: dict[str, int] = {}

    def asked(self, event: ev.StageAsked, now: int) -> list[ev.Command]:
        """A peer's request: it waits for the executor, or is refused because it could not be in time."""
        self._counts["asked"] += 1
        if event.request in self._unwanted:
            del self._unwanted[event.request]
            return [ev.Forget(request=event.request, peer=event.peer)]
        if event.request in self._passed:
            return [self.refuse(event, "duplicate")]
        profile = self._variants.has(event.model, event.variant)
        if profile is None:
            return [self.refuse(event, "unknown_model")]
        if not event.leg.whole and self._variants.is_loading(event.model, event.variant):
            return [self.refuse(event, "loading"), *self._variants.want(event.model, event.variant)]
        if not _makes_sense(event, profile):
            return [self.refuse(event, "malformed")]
        out = self._drop_hopeless(now) if self._is_full(event.peer) else []
        if self._is_full(event.peer):
            return [*out, self.refuse(event, "full")]
        alive = self._peers.alive(now) if event.route else {}
        after = away_s(event.route, event.model, event.variant, alive)
        if after is None:
            return [*out, self.refuse(event, CHAIN_BROKEN)]
        deadline_ns = event.deadline_ns - ns(after.work_s)       # the ways are taken off by the owner
        wait_s = self._queue.wait_s(now, event.priority, deadline_ns)
        run_s = leg_p50_s(profile, event.leg)
        if now + ns(wait_s + run_s) > deadline_ns:
            return [*out, self.refuse(event, "too_late")]
        if not self._budget.gives(run_s, now):
            return [*out, self.refuse(event, "share")]
        key = self._queue.add(
            request=event.request, asker=event.peer, stream="", profile=profile, leg=event.leg,
            priority=event.priority, deadline_ns=deadline_ns, guard=False, now=now,
        )
        self._asks[key] = event
        self._variants.asked(event.priority, now)
        return out + (self._variants.want_steps(profile, event.priority, now) if event.leg.whole else [])

    def _is_full(self, peer: str) -> bool:
        """Whether nothing more can wait, or nothing more for this peer."""
        waiting = self._queue.waiting()
        return waiting >= QUEUE_BOUND or (waiting >= PEER_BOUND and self._queue.waiting_for(peer) >= PEER_BOUND)

    def _drop_hopeless(self, now: int) -> list[ev.Command]:
        """Make room: what waits for peers and can be in time no more goes."""
        commands: list[ev.Command] = []
        for work in self._queue.in_order(now):
            if work.asker and now + work.p50_ns > work.deadline_ns:
                self._queue.remove(work.key, now)
                commands.append(self.refuse(work, "too_late"))
        return commands

    def refuse(self, asked: ev.StageAsked | QueuedRun, reason: str) -> ev.Refuse:
        """Say no, and count it."""
        if isinstance(asked, ev.StageAsked):
            peer = asked.peer
        else:
            peer = self._asks.pop(asked.key).peer
            self._budget.takes_back(seconds(asked.p50_ns))
        return self._refuse(asked.request, peer, reason)

    def done(self, work: QueuedRun, event: ev.StageDone, now: int) -> list[ev.Command]:
        """A peer's run has ended: its result goes on to the next leg, or home."""
        asked = self._asks.pop(work.key)
        if work.aborted:
            return []
        if not event.ran:
            return [self._refuse(asked.request, asked.peer, "failed")]
        run_ns = work.ran_ns + event.finished_ns - event.started_ns
        times = LegTimes(
            run_s=seconds(run_ns), waited_s=seconds(event.finished_ns - work.queued_ns - run_ns),
            overrun=event.overrun or work.overrun, batch=work.batch,
        )
        if asked.route:
            self._counts["passed_on"] += 1
            self._passed = {r: passed for r, passed in self._passed.items() if now < passed.deadline_ns}
            _remember(self._passed, asked.request, _Passed(asked.route[0].agent, asked.deadline_ns))
            return [ev.PassOn(asked=asked, times=times, made=event.made)]
        self._counts["answered"] += 1
        return [ev.Answer(request=asked.request, peer=asked.peer, times=times, done=asked.done, made=event.made)]

    def not_taken(self, request: RequestId, peer: str) -> list[ev.Command]:
        """A peer cannot be reached, or does not take what was passed on to it: the owner is told."""
        passed = self._passed.get(request)
        if passed is None or passed.to != peer:
            return []
        del self._passed[request]
        return [self._refuse(request, request.agent, CHAIN_BROKEN)]

    def cancelled(self, event: ev.StageCancelled, now: int) -> list[ev.Command]:
        """The owner no longer wants this one, wherever it is: here, on its way from here, or on its way to here."""
        if event.request.agent != event.peer:
            return []
        works = [w for w in self._queue.of_asker(event.peer) if w.request == event.request]
        if works:
            return self._drop(works, now)
        passed = self._passed.pop(event.request, None)
        if passed is not None:
            return [ev.StopSending(request=event.request, peer=passed.to)]
        _remember(self._unwanted, event.request, None)
        return []

    def lost(self, peer: str, now: int) -> list[ev.Command]:
        """Nobody is left to answer to; and owners are told of what went on to the lost one."""
        commands = self._drop(self._queue.of_asker(peer), now)
        for request, passed in list(self._passed.items()):
            if passed.to == peer and now < passed.deadline_ns:
                commands += self.not_taken(request, peer)
        return commands

    def statistics(self) -> PeerRequestStatistics:
        return PeerRequestStatistics(**self._counts, refused=dict(self._refused))

    def _refuse(self, request: RequestId, peer: str, reason: str) -> ev.Refuse:
        self._refused[reason] = self._refused.get(reason, 0) + 1
        return ev.Refuse(request=request, peer=peer, reason=reason)

    def _drop(self, works: Sequence[QueuedRun], now: int) -> list[ev.Command]:
        commands: list[ev.Command] = []
        for work in works:
            commands.append(ev.Forget(request=work.request, peer=work.asker))
            if self._queue.remove(work.key, now) is None:
                commands.append(ev.AbortRun(work=work.key))
            else:
                del self._asks[work.key]
                self._budget.takes_back(seconds(work.p50_ns))
        return commands


def _makes_sense(asked: ev.StageAsked, profile: Profile) -> bool:
    """Whether it is the whole model, or a chain from our leg to the last stage that does not lead back."""
    if asked.leg.whole:
        return not asked.route and not asked.leg.first
    route = [asked.leg, *asked.route]
    return is_chain(route, len(profile.stages)) and all(leg.agent != asked.peer for leg in route)


def _remember(kept: dict[RequestId, V], request: RequestId, value: V) -> None:
    """Keep one more; the oldest goes where there are too many."""
    kept[request] = value
    if len(kept) > MEMORY:
        del kept[next(iter(kept))]
