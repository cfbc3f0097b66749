"""Peers' requests: admitted or refused at once, then passed on, answered, or dropped when cancelled. Deterministic.

The request for a leg of a chain comes from the agent of the leg before. Answers and refusals go to the owner of the
request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.admission_budget import AdmissionBudget
from agents.scheduling.queue.interference import Interference
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import NOT_LOADED, RunnableVariants
from swarm.core.policy.cost import away_s, leg_p50_s, step_p95_s
from swarm.core.policy.plan import Profile, is_chain
from swarm.core.protocol.spans import LegTimes, RequestId
from swarm.core.units import ns, seconds

QUEUE_BOUND = 32                     # no peer's request is admitted while this many runs wait
PEER_BOUND = QUEUE_BOUND // 4        # the same for the runs of one peer, so that it cannot keep the others out
MEMORY = 256                         # remembered requests that were passed on; as many that were cancelled early
CHAIN_BROKEN = "chain_broken"
REFUSALS = ("full", "share", "too_late", "unknown_model", NOT_LOADED, "loading", "malformed", "duplicate", "failed",
            CHAIN_BROKEN)

V = TypeVar("V")


class PeerRequestStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    asked: int
    answered: int
    passed_on: int
    refused: dict[str, int]


class _Forwarded(msgspec.Struct, frozen=True):
    """A request that was passed on to the agent of its next leg."""

    to: str
    deadline_ns: int


class PeerRequests:
    """Peers' requests share the queue and its order with the robot's own work."""

    def __init__(
        self, variants: RunnableVariants, queue: RunQueue, peers: PeerTable, budget: AdmissionBudget, own: Interference
    ) -> None:
        self._variants, self._queue, self._peers, self._budget, self._own = variants, queue, peers, budget, own
        self._asks: dict[int, ev.StageAsked] = {}            # by the key of their run
        self._forwarded: dict[RequestId, _Forwarded] = {}
        self._cancelled_early: dict[RequestId, None] = {}    # the cancellation came before the request
        self._counts = {"asked": 0, "answered": 0, "passed_on": 0}
        self._refused: dict[str, int] = {}

    def asked(self, event: ev.StageAsked, now: int) -> list[ev.Command]:
        """A peer's request: queue its run, or refuse it."""
        self._counts["asked"] += 1
        if event.request in self._cancelled_early:
            del self._cancelled_early[event.request]
            return [ev.Forget(request=event.request, peer=event.peer)]
        if event.request in self._forwarded:
            return [self.refuse(event, "duplicate")]
        profile = self._variants.profile(event.model, event.variant)
        if profile is None:
            loadable_s = self._variants.want(event.model, None, event.variant)
            return [self.refuse(event, "unknown_model" if loadable_s is None else NOT_LOADED)]
        if not event.leg.whole and self._variants.is_loading(event.model, event.variant):
            return [self.refuse(event, "loading"), *self._variants.request_stages(event.model, event.variant)]
        if not _is_valid(event, profile):
            return [self.refuse(event, "malformed")]
        sender, priority = event.sender or event.peer, self._priority(event)
        out = self._drop_late(now) if self._is_full(sender) else []
        if self._is_full(sender):
            return [*out, self.refuse(event, "full")]
        alive = self._peers.alive(now) if event.route else {}
        after = away_s(event.route, event.model, event.variant, alive)
        if after is None:
            return [*out, self.refuse(event, CHAIN_BROKEN)]
        deadline_ns = event.deadline_ns - ns(after.work_s)       # the owner has deducted the transfers
        wait_s = self._queue.wait_s(now, priority, deadline_ns)
        run_s = leg_p50_s(profile, event.leg)
        if now + ns(wait_s + run_s) > deadline_ns:
            return [*out, self.refuse(event, "too_late")]
        last_free = len(self._asks) >= self._queue.executors - 1
        blocks_own = last_free and ns(step_p95_s(profile, event.leg)) > self._own.patience_ns(priority)
        if blocks_own or not self._budget.take(run_s, now):
            return [*out, self.refuse(event, "share")]
        key = self._queue.add(
            request=event.request, asker=event.peer, stream="", profile=profile, leg=event.leg,
            priority=priority, deadline_ns=deadline_ns, guard=False, now=now,
        )
        self._asks[key] = event
        self._variants.add_peer_priority(priority, now)
        return out + (self._variants.request_stages_if_long(profile, priority, now) if event.leg.whole else [])

    def own_before(
        self, work: QueuedRun, now: int, holds_back: Callable[[QueuedRun, int], bool]
    ) -> QueuedRun | None:
        """A run of this robot that must go before a peer's to be in time, if it is no less urgent, or on the own share.

        holds_back: whether a guard holds a run back.
        """
        for own in self._queue.late_behind(work, now):
            if not holds_back(own, now) and (
                    own.level >= work.level or self._budget.take_own(seconds(own.p50_ns), now)):
                own.before_peers = True
                return own
        return None

    def _priority(self, event: ev.StageAsked) -> int:
        """Its priority here: no higher than that of its owner's streams, nor than that of all of our own."""
        most = min(event.priority, self._peers.most_urgent(event.peer))
        return most if self._queue.top_own is None else min(most, self._queue.top_own)

    def _is_full(self, sender: str) -> bool:
        """Whether the queue is full, or the part of the agent that sends to us, in whoever's name."""
        waiting = self._queue.waiting()
        return waiting >= QUEUE_BOUND or (waiting >= PEER_BOUND and self._waiting_of(sender) >= PEER_BOUND)

    def _waiting_of(self, sender: str) -> int:
        return sum((asked.sender or asked.peer) == sender and self._queue.is_waiting(key)
                   for key, asked in self._asks.items())

    def _drop_late(self, now: int) -> list[ev.Command]:
        """Make room: refuse waiting runs of peers that can no longer be in time."""
        commands: list[ev.Command] = []
        for work in self._queue.in_order(now):
            if work.asker and now + work.p50_ns > work.deadline_ns:
                self._queue.remove(work.key, now)
                commands.append(self.refuse(work, "too_late"))
        return commands

    def refuse(self, asked: ev.StageAsked | QueuedRun, reason: str) -> ev.Refuse:
        """Refuse a new or a waiting request, and count the refusal."""
        if isinstance(asked, ev.StageAsked):
            peer = asked.peer
        else:
            peer = self._asks.pop(asked.key).peer
            self._budget.give_back(seconds(asked.p50_ns))
        return self._refuse(asked.request, peer, reason)

    def done(self, work: QueuedRun, event: ev.StageDone, now: int) -> list[ev.Command]:
        """A peer's run has ended: pass its result on to the next leg, or answer the owner."""
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
            self._forwarded = {r: forwarded for r, forwarded in self._forwarded.items() if now < forwarded.deadline_ns}
            _remember(self._forwarded, asked.request, _Forwarded(asked.route[0].agent, asked.deadline_ns))
            return [ev.PassOn(asked=asked, times=times, made=event.made)]
        self._counts["answered"] += 1
        return [ev.Answer(request=asked.request, peer=asked.peer, times=times, done=asked.done, made=event.made)]

    def forward_failed(self, request: RequestId, peer: str) -> list[ev.Command]:
        """A peer cannot be reached, or refuses a request that was passed on to it: tell the owner."""
        forwarded = self._forwarded.get(request)
        if forwarded is None or forwarded.to != peer:
            return []
        del self._forwarded[request]
        return [self._refuse(request, request.agent, CHAIN_BROKEN)]

    def cancelled(self, event: ev.StageCancelled, now: int) -> list[ev.Command]:
        """The owner no longer wants a request: it is in our queue, was passed on, or has not arrived yet."""
        if event.request.agent != event.peer:
            return []
        works = [w for w in self._queue.of_asker(event.peer) if w.request == event.request]
        if works:
            return self._drop(works, now)
        forwarded = self._forwarded.pop(event.request, None)
        if forwarded is not None:
            return [ev.StopSending(request=event.request, peer=forwarded.to)]
        _remember(self._cancelled_early, event.request, None)
        return []

    def lost(self, peer: str, now: int) -> list[ev.Command]:
        """A peer is lost: drop its requests, and tell the owners of requests that were passed on to it."""
        commands = self._drop(self._queue.of_asker(peer), now)
        for request, forwarded in list(self._forwarded.items()):
            if forwarded.to == peer and now < forwarded.deadline_ns:
                commands += self.forward_failed(request, peer)
        return commands

    def overdue(self, now: int) -> list[ev.Command]:
        """Abort peers' runs that should have ended long ago, for example since a cancellation was lost."""
        return self._drop([work for work in self._queue.overdue(now) if work.asker], now)

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
                self._budget.give_back(seconds(work.p50_ns))
        return commands


def _is_valid(asked: ev.StageAsked, profile: Profile) -> bool:
    """Whether it is the whole model, or a chain from our leg to the last stage that does not return to the owner."""
    if asked.leg.whole:
        return not asked.route and not asked.leg.first
    route = [asked.leg, *asked.route]
    return is_chain(route, len(profile.stages)) and all(leg.agent != asked.peer for leg in route)


def _remember(memory: dict[RequestId, V], request: RequestId, value: V) -> None:
    """Remember a request; above MEMORY, forget the oldest."""
    memory[request] = value
    if len(memory) > MEMORY:
        del memory[next(iter(memory))]
