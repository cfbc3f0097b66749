"""Requests of this robot that are out at peers: sent, refused, answered, called back. Deterministic.

What is sent goes from peer to peer, leg by leg, and the last of them answers.
"""

from __future__ import annotations

import msgspec
from numpy.typing import NDArray

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.chains import record, runs
from agents.scheduling.guards import Guards
from agents.scheduling.peer_requests import CHAIN_BROKEN
from agents.scheduling.queue.run_queue import RunQueue
from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import LegTimes, Span
from swarm.core.units import NS, ns

UNREACHABLE = "unreachable"          # the reason of a refusal by our own network
WARY_S = 0.3                         # a peer that refused gets no new work for this long


class OpenRequest(msgspec.Struct):
    """A request of this robot that has not ended."""

    span: Span
    work: int | None = None          # the key of its run at home that waits or runs
    route: list[Leg] = []            # legs on peers: to be sent after the one at home, or sent
    way_s: float = 0.0               # expected time between robots
    out: bool = False                # an answer is awaited
    holders: list[str] = []          # peers that may have it


class Offloads:
    """Sends requests to peers, and learns from what comes back. Methods add commands to `out`."""

    def __init__(self, peers: PeerTable, queue: RunQueue, guards: Guards) -> None:
        self._peers, self._queue, self._guards = peers, queue, guards

    def send(
        self, state: OpenRequest, now: int, out: list[ev.Command], tensors: list[NDArray] | None = None
    ) -> None:
        """Ask the peers of its route, with a guard if there is time for one. tensors: the result of its leg at home."""
        span = state.span
        state.out, state.holders = True, [leg.agent for leg in state.route]
        span.offloaded_to, span.sent_ns = state.holders[-1], now
        if not (span.legs or state.route[0].whole):
            span.legs = runs(state.route)
        for leg in state.route:
            self._peers.sent(leg, span.request, span.model, span.variant, now)
        out.append(ev.SendStage(
            request=span.request, model=span.model, variant=span.variant, priority=span.priority,
            deadline_ns=span.deadline_ns - ns(state.way_s), route=state.route, tensors=tensors,
        ))
        last_safe_ns = self._guards.set(span, self._queue.running_left_ns(now), now)
        if last_safe_ns:
            span.guarded = True
            out.append(ev.SetTimer(at_ns=last_safe_ns, event=ev.LastSafeStart(request=span.request)))

    def can_go_on(self, state: OpenRequest, now: int) -> bool:
        """Whether there is time for the way to the peers of its route, and all of them are there."""
        return now + ns(state.way_s) < state.span.deadline_ns and all(
            self._peers.knows(leg.agent) for leg in state.route)

    def refused(self, state: OpenRequest | None, event: ev.Refused, now: int) -> bool:
        """A peer does not have it, nor does any peer after it; those before it are done.

        state: the request, if it is still open. Returns whether it comes home: its answer was still awaited.
        """
        asked = [leg.agent for leg in state.route] if state and state.span.offloaded_to else []
        broken = event.reason == CHAIN_BROKEN and event.peer in asked[:-1]
        self._peers.wary(asked[asked.index(event.peer) + 1] if broken else event.peer, WARY_S, now)
        self._peers.dropped(event.peer, event.request)
        if state is None or event.peer not in asked:
            return False
        self._clear(state)
        return state.out

    def unsent(self, state: OpenRequest) -> None:
        """Nothing ever left: it is a request at home like any other."""
        span = state.span
        self._guards.lift(span.request)
        span.offloaded_to, span.sent_ns, span.guarded, span.legs = "", 0, False, []

    def answered(self, state: OpenRequest | None, event: ev.AnswerCame, now: int) -> bool:
        """A peer's answer: note what the legs took. Returns whether it counts; else it is late, or was never asked for.
        """
        if state is None or state.span.offloaded_to != event.peer:
            self._peers.dropped(event.peer, event.request)
            return False
        self._clear(state)
        self._queue.served(state.span.stream)
        times = [*event.done, event.times]
        record(state.span, state.route, times, now)
        self._learn(state, times)
        return True

    def call_back(self, state: OpenRequest, now: int, out: list[ev.Command]) -> None:
        """The answer is no longer wanted; one that is overdue shows that the peer is slower than it says."""
        span = state.span
        late_s = (now - span.captured_ns) / NS - span.predicted_s
        if state.out and late_s > 0 and len(state.route) == 1:
            self._peers.overdue(state.route[0], span.model, span.variant, late_s)
        out += [ev.CancelStage(request=span.request, peer=holder) for holder in state.holders]
        self._clear(state)
        state.out = False

    def _learn(self, state: OpenRequest, times: list[LegTimes]) -> None:
        """What each leg took there; a peer that tells of another number of legs is believed only about its own."""
        known = len(state.route) if len(times) == len(state.route) else 1
        for leg, took in zip(state.route[-known:], times[-known:], strict=True):
            self._peers.ran(leg, state.span.model, state.span.variant, took)

    def _clear(self, state: OpenRequest) -> None:
        """No peer has it any more."""
        for leg in state.route:
            self._peers.dropped(leg.agent, state.span.request)
        state.holders = []
