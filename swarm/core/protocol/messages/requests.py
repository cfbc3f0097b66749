"""Messages for offloaded stages: ask, answer, refusal and cancellation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from swarm.core.policy.plan import MOST_STAGES, Route, StageNumber
from swarm.core.protocol.bounds import Priority, Seconds, ShortText
from swarm.core.protocol.messages.transport import Message
from swarm.core.protocol.spans import BatchSize, Frame, LegsDone, RequestId
from swarm.core.protocol.world import OutcomeHeader

SEAL_BYTES = 8                       # a guess is right once in 2^64 times, and each costs a message


class StageAsk(Message, frozen=True, kw_only=True):
    """Asks a peer to run stages for `request.agent`. The input tensors of stage `first` follow, in order.

    The budget is in the envelope. The result goes to the next leg of the route, or to `request.agent` after the last
    leg. An agent that will not run its leg tells `request.agent`.
    """

    request: RequestId
    frame: Frame                     # of the request
    model: ShortText
    variant: ShortText
    priority: Priority
    first: StageNumber = 0           # stages [first, last); 0, 0: the whole model
    last: StageNumber = 0
    route: Route = []                # the legs after this one
    done: LegsDone = []              # times of the legs on other peers before this one
    seals: Annotated[bytes, Meta(max_length=SEAL_BYTES * MOST_STAGES)] = b""
    """By the owner, one for each leg that it does not ask for itself; first that of this leg, if it is one of them."""


class StageAnswer(Message, frozen=True, kw_only=True):
    """The outcome of the stages that were asked for.

    outcome: None for a mask, whose classes follow as one tensor, uint8 [height, width]; the names of arrays that follow
    (`world.in_parts`).
    """

    request: RequestId
    outcome: OutcomeHeader
    run_s: Seconds
    waited_s: Seconds                  # in the peer's queue
    held_s: Seconds                    # receipt to answer
    overrun: bool = False
    batch: BatchSize = 1                # inputs of its run, this one included
    done: LegsDone = []              # times of the legs on other peers before this one


class StageRefusal(Message, frozen=True, kw_only=True):
    """The peer will not run the stages, or could not pass the result on."""

    request: RequestId
    reason: ShortText                   # see `agents/scheduling/peer_requests.py`, REFUSALS


class StageCancel(Message, frozen=True, kw_only=True):
    """The answer is no longer wanted."""

    request: RequestId
