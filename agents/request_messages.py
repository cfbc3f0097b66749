"""Turns peers' messages about requests into events of the scheduler; what is not theirs to say is refused."""

from __future__ import annotations

from agents.peers.seals import Seals
from agents.performer import PeerInput, Performer
from agents.runtime.offer import Offer
from agents.scheduling import events as ev
from agents.scheduling.peer_requests import REFUSALS
from swarm.core.policy.plan import Leg
from swarm.core.ports import Received, Transport
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages.requests import SEAL_BYTES
from swarm.core.protocol.spans import LegTimes
from swarm.core.protocol.world import of_parts
from swarm.core.units import ns

RequestMessage = msg.StageAsk | msg.StageAnswer | msg.StageRefusal | msg.StageCancel


class RequestMessages:
    """Handles these messages for one robot."""

    def __init__(self, net: Transport, performer: Performer, offer: Offer, seals: Seals) -> None:
        self._net, self._performer, self._offer, self._seals = net, performer, offer, seals

    def handle(self, body: RequestMessage, message: Received) -> None:
        """Handle one message of a peer."""
        peer = message.sender
        match body:
            case msg.StageAsk():
                self._asked(body, message)
            case msg.StageAnswer(request=request):
                outcome = of_parts(body.outcome, message.tensors)
                if outcome is None:
                    self._performer.handle(ev.Refused(request=request, peer=peer, reason="malformed"))
                    return
                self._performer.handle(ev.AnswerCame(
                    request=request, peer=peer, done=body.done, outcome=outcome, times=LegTimes(
                        run_s=body.run_s, waited_s=body.waited_s, held_s=body.held_s, overrun=body.overrun,
                        batch=body.batch),
                ))
            case msg.StageRefusal(request=request, reason=reason):
                self._performer.handle(ev.Refused(
                    request=request, peer=peer, reason=reason if reason in REFUSALS else "refused"))
            case msg.StageCancel(request=request):
                self._performer.handle(ev.StageCancelled(request=request, peer=peer))

    def _asked(self, ask: msg.StageAsk, message: Received) -> None:
        """A peer's request. Its budget counts from the receipt of its header; a bad request is refused."""
        reason = self._refusal_reason(ask, message)
        if reason:
            self._net.send(message.sender, msg.StageRefusal(request=ask.request, reason=reason))
            return
        own, owner = self._net.member.name, ask.request.agent
        passed_on = owner != message.sender
        self._performer.asked(ev.StageAsked(
            request=ask.request, peer=owner, sender=message.sender, model=ask.model, variant=ask.variant,
            priority=ask.priority, deadline_ns=message.begun_ns + ns(message.budget_s or 0.0),
            leg=Leg(own, ask.first, ask.last), route=ask.route, done=ask.done,
            seals=ask.seals[SEAL_BYTES:] if passed_on else ask.seals,
        ), PeerInput(message.tensors, ask.frame, message.at_ns))

    def _refusal_reason(self, ask: msg.StageAsk, message: Received) -> str:
        """Why a request is refused; empty: it is not."""
        if not self._seals.is_from_owner(ask, message.sender):
            return "malformed"
        if self._performer.has_input_of(ask.request):
            return "duplicate"
        return "" if self._offer.fits(ask.model, ask.variant, ask.first, message.tensors) else "malformed"
