"""All messages between processes, by subject, and which roles may send each. Arrays follow a message as raw tensors."""

from __future__ import annotations

from swarm.core.protocol.messages.body import Acted, Embodied, EnergyUsed, Judged, Reported, Sensed, Shared
from swarm.core.protocol.messages.lifecycle import (
    Back,
    Drain,
    Drained,
    Gone,
    InjectedFaults,
    InReach,
    Ready,
    Roster,
    Shutdown,
    Start,
)
from swarm.core.protocol.messages.presence import (
    Advert,
    Feedback,
    Gossip,
    Heartbeat,
    HeartbeatAck,
    Introduction,
    PlanNews,
)
from swarm.core.protocol.messages.requests import StageAnswer, StageAsk, StageCancel, StageRefusal
from swarm.core.protocol.messages.telemetry import (
    AgentNews,
    Ended,
    Happened,
    Kept,
    KeptReceived,
    KeptReport,
    PlannerNews,
    Scene,
    Slip,
    Submitted,
    WorldNews,
)
from swarm.core.protocol.messages.transport import Chunk, Credit, Member, Message, TransferEnded, TransferRefused

__all__ = [
    "Acted",
    "Advert",
    "AgentNews",
    "Back",
    "Body",
    "Chunk",
    "Credit",
    "Drain",
    "Drained",
    "Embodied",
    "Ended",
    "EnergyUsed",
    "Feedback",
    "Gone",
    "Gossip",
    "Happened",
    "Heartbeat",
    "HeartbeatAck",
    "InReach",
    "InjectedFaults",
    "Introduction",
    "Judged",
    "Kept",
    "KeptReceived",
    "KeptReport",
    "Member",
    "Message",
    "PlanNews",
    "PlannerNews",
    "Ready",
    "Reported",
    "Roster",
    "Scene",
    "Sensed",
    "Shared",
    "Shutdown",
    "Slip",
    "StageAnswer",
    "StageAsk",
    "StageCancel",
    "StageRefusal",
    "Start",
    "Submitted",
    "TransferEnded",
    "TransferRefused",
    "WorldNews",
    "may_say",
    "roles",
]

Body = (
    Credit | Chunk | TransferEnded | TransferRefused
    | Ready | Roster | Start | Drain | Drained | Shutdown | Back | InjectedFaults | InReach
    | Heartbeat | HeartbeatAck | Introduction | Gossip | Gone | Advert | Feedback | PlanNews
    | StageAsk | StageAnswer | StageRefusal | StageCancel
    | Embodied | Sensed | Acted | EnergyUsed | Reported | Judged | Shared
    | Kept | KeptReceived | Submitted | Ended | Happened | AgentNews | WorldNews | Scene | PlannerNews
)

_LAUNCHER, _AGENT, _PLANNER, _WORLD, _COLLECTOR = "launcher", "agent", "planner", "world", "collector"
_MAY_SAY: dict[type[Message], tuple[str, ...]] = {
    **dict.fromkeys((Roster, Start, Drain, Shutdown, Gone, Back, InjectedFaults), (_LAUNCHER,)),
    **dict.fromkeys((Heartbeat, HeartbeatAck, Introduction, Gossip), (_AGENT, _PLANNER)),
    **dict.fromkeys((StageAsk, StageAnswer, StageRefusal, StageCancel, Shared, Advert, Feedback), (_AGENT,)),
    **dict.fromkeys((Acted, EnergyUsed, Reported, Submitted, Ended, AgentNews, Drained, Kept), (_AGENT,)),
    KeptReceived: (_COLLECTOR,),
    **dict.fromkeys((Embodied, InReach, Sensed, Judged, WorldNews, Scene), (_WORLD,)),
    **dict.fromkeys((PlanNews, PlannerNews), (_PLANNER,)),
    **dict.fromkeys((Ready, Happened), (_AGENT, _PLANNER, _WORLD)),
    **dict.fromkeys((Credit, Chunk, TransferEnded, TransferRefused), (_AGENT, _PLANNER, _WORLD, _LAUNCHER, _COLLECTOR)),
}


def may_say(role: str, body: Message) -> bool:
    """Whether a member of this role may send this message; a stranger, whose role is empty, may say nothing."""
    return role in _MAY_SAY[type(body)]


def roles(body: type[Message]) -> tuple[str, ...]:
    """The roles that may send this type of message."""
    return _MAY_SAY[body]
