"""All messages between processes, by subject. Arrays follow a message as raw tensors."""

from __future__ import annotations

from swarm.core.protocol.messages.body import Acted, Embodied, Judged, Reported, Sensed, Shared
from swarm.core.protocol.messages.lifecycle import (
    Back,
    Drain,
    Drained,
    Gone,
    InjectedFaults,
    Ready,
    Roster,
    Shutdown,
    Start,
)
from swarm.core.protocol.messages.presence import (
    Advert,
    Gossip,
    Heartbeat,
    HeartbeatAck,
    Introduction,
    LinkNews,
    PlanNews,
)
from swarm.core.protocol.messages.requests import StageAnswer, StageAsk, StageCancel, StageRefusal
from swarm.core.protocol.messages.senders import Body, may_say
from swarm.core.protocol.messages.telemetry import AgentNews, Ended, Happened, PlannerNews, Scene, Submitted, WorldNews
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
    "Gone",
    "Gossip",
    "Happened",
    "Heartbeat",
    "HeartbeatAck",
    "InjectedFaults",
    "Introduction",
    "Judged",
    "LinkNews",
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
]
