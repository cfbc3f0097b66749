"""Own requests that run on peers: sent, refused, answered, cancelled. Deterministic.

A request travels from peer to peer, leg by leg; the peer of the last leg answers.
"""

from __future__ import annotations

import msgspec
from numpy.typing import NDArray

from agents.peers.table import PeerTable
from agents.ports import TASK
from agents.scheduling import events as ev
from agents.scheduling.chains import record, runs
from agents.scheduling.guards import Guards
from agents.scheduling.peer_requests import CHAIN_BROKEN
from agents.scheduling.queue.run_queue import RunQueue
from swarm.core.policy.plan import Leg, Placement
from swarm.core.protocol.spans import LegTimes, Span
from swarm.core.units import NS, ns

UNREACHABLE = "unreachable"          # refusal reason: our own transport could not deliver the request
BACKOFF_S = 0.3                      # a peer that refused gets no new work for this long


class OpenRequest(msgspec.Struct):
    """A request of this robot that has not ended."""

    span: Span
    work: int | None = None          # key of its waiting or running run at home
    placement: Placement | None = None       # as which it goes; None: as none
    route: list[Leg] = []            # its legs on peers
    transit_s: float = 0.0           # expected time of all transfers between robots
    awaiting: bool = False           # a peer's answer is expected
    holders: list[str] = []          # peers that may hold the request
    refused: bool = False            # no peer's result counts any more


class Offloads:
    """Sends requests to peers, and learns from their answers. Methods append their commands to `out`."""

    def __init__(self, peers: PeerTable, queue: RunQueue, guards: Guards) -> None:
        self._peers, self._queue, self._guards = peers, queue, guards

    def send(
        self, state: OpenRequest, now: int, out: list[ev.Command], tensors: list[NDArray] | None = None
    ) -> None:
        """Send a request along its route, and arm a guard if there is time for a fallback.

        tensors: the result of its leg at home, if it has one.
        """
        span = state.span
        state.awaiting, state.holders = True, [leg.agent for leg in state.route]
        span.offloaded_to, span.sent_ns = state.holders[-1], now
        if not (span.legs or state.route[0].whole):
            span.legs = runs(state.route)
        for leg in state.route:
            self._peers.book(leg, span.request, span.model, span.variant, now)
        # a peer counts its budget from the announcement of the tensors, so that their time passes there
        sending_s = self._peers.sending_s(state.route[0], span.model, span.variant)
        out.append(ev.SendStage(
            request=span.request, model=span.model, variant=span.variant, priority=span.priority,
            deadline_ns=span.deadline_ns - ns(state.transit_s - sending_s), route=state.route, tensors=tensors,
        ))
        span.guarded = self._guards.arm(span, now)

    def can_continue(self, state: OpenRequest, now: int) -> bool:
        """Whether there is time for the transfers to the peers of its route, and all of them are alive."""
        return now + ns(state.transit_s) < state.span.deadline_ns and all(
            self._peers.is_alive(leg.agent) for leg in state.route)

    def refused(self, state: OpenRequest | None, event: ev.Refused, now: int) -> bool:
        """A peer refused the request, so no later peer holds it; the legs before it are done.

        state: the request, if it is still open. Returns whether its answer was still awaited: then it returns home.
        """
        asked = [leg.agent for leg in state.route] if state and state.span.offloaded_to else []
        broken = event.reason == CHAIN_BROKEN and event.peer in asked[:-1]
        if event.reason != TASK:             # else it was never sent, and the peer knows nothing of it
            self._peers.back_off(asked[asked.index(event.peer) + 1] if broken else event.peer, BACKOFF_S, now)
        self._peers.release(event.peer, event.request)
        if state is None or event.peer not in asked:
            return False
        self._release(state)
        state.refused = True
        return state.awaiting

    def undo_send(self, state: OpenRequest) -> None:
        """The request was never sent: it becomes an ordinary request at home."""
        span = state.span
        self._guards.disarm(span.request)
        span.offloaded_to, span.sent_ns, span.guarded, span.legs = "", 0, False, []

    def answered(self, state: OpenRequest | None, event: ev.AnswerCame, now: int) -> bool:
        """A peer's answer: record the times of the legs.

        Returns False if the request has ended, was not sent to it, or was refused: then no peer has a part in it.
        """
        if state is None or state.refused or state.span.offloaded_to != event.peer:
            self._peers.release(event.peer, event.request)
            return False
        self._release(state)
        self._peers.answered(event.peer)
        self._queue.reset_wait(state.span.stream)
        times = [*event.done, event.times]
        record(state.span, state.route, times, now)
        self._observe_legs(state, times)
        return True

    def cancel(self, state: OpenRequest, now: int, out: list[ev.Command]) -> None:
        """The answer is no longer wanted. If it is overdue, count the peer as slower than it advertises."""
        span = state.span
        late_s = (now - span.captured_ns) / NS - span.predicted_s
        if state.awaiting and late_s > 0 and len(state.route) == 1:
            self._peers.observe_timeout(state.route[0], span.model, span.variant, late_s)
            self._peers.unanswered(state.route[0].agent, span.sent_ns, now)
        out += [ev.CancelStage(request=span.request, peer=holder) for holder in state.holders]
        self._release(state)
        state.awaiting = False

    def _observe_legs(self, state: OpenRequest, times: list[LegTimes]) -> None:
        """Learn the run time of each leg. A peer that reports a wrong number of legs is trusted about its own only."""
        trusted = len(state.route) if len(times) == len(state.route) else 1
        for leg, took in zip(state.route[-trusted:], times[-trusted:], strict=True):
            self._peers.observe_run(leg, state.span.model, state.span.variant, took)

    def _release(self, state: OpenRequest) -> None:
        """No peer holds the request any more."""
        for leg in state.route:
            self._peers.release(leg.agent, state.span.request)
        state.holders = []
