"""Messages about members and their capabilities: heartbeats, introductions, gossip, adverts, links and plans."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.policy.plan import MOST_STAGES, NotLoaded, Plan, Profile, StreamSpec
from swarm.core.protocol.bounds import (
    MOST_MEMBERS,
    Count,
    Executors,
    FleetName,
    Name,
    Rate,
    Seconds,
    Share,
    ShortText,
)
from swarm.core.protocol.messages.lifecycle import Members
from swarm.core.protocol.messages.transport import Message

MOST_STREAMS = 256                   # of one robot, in one message
MOST_PROFILES = 256                  # of one robot: variants that it can run
KEY_BYTES = 16
NEARLY_EMPTY = 0.05                  # of the charge: from there on a robot gets no work of others
MOST_NOT_LOADED = 8                  # told of in an advert: the most useful ones


class Heartbeat(Message, frozen=True, kw_only=True):
    """Says that the sender is alive and how busy it is. The receiver answers, so that the round trip is measured."""

    sequence: Count
    busy_s: Seconds = 0.0            # work in hand on the executor
    advert: Count = 0                # number of the receiver's newest advert that the sender has; 0: none


class HeartbeatAck(Message, frozen=True, kw_only=True):
    """The answer to a heartbeat."""

    sequence: Count
    held_s: Seconds                    # receipt to answer
    busy_s: Seconds = 0.0              # work in hand on the executor
    advert: Count = 0                  # as in the heartbeat


class Introduction(Message, frozen=True, kw_only=True):
    """Members that the sender knows. A newcomer introduces itself to any member, which passes it on to the others."""

    members: Members


class Gossip(Message, frozen=True, kw_only=True):
    """A member has been silent, or has been heard again. The receiver only probes that member."""

    about: ShortText
    boot: Count
    silent: bool


class Advert(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The capabilities and streams of an agent: sent again after each change, until every peer has it.

    What is None is not known, and takes no bytes. Receivers take figures of the board that make no sense as not known
    (`planner/observed/conditions.py`), so that a broken sensor does not make an agent unusable.
    """

    number: Count = 1                  # grows with each change
    battery: Share | None = None       # charge; None: there is no battery, or it cannot be read
    board: ShortText
    executors: Executors
    own_share: Share = 0.0           # of its executors, kept for its own streams as far as these need it
    profiles: Annotated[list[Profile], Meta(max_length=MOST_PROFILES)]
    streams: Annotated[list[StreamSpec], Meta(max_length=MOST_STREAMS)]
    battery_wh: float | None = None  # energy left in the battery
    power_w: float | None = None     # of the board, at most
    temperature_c: float | None = None       # of its hottest part that is measured
    throttled: bool | None = None    # it computes more slowly because it is hot
    memory_free_bytes: int | None = None     # of its memory, after all that it has loaded or may load
    not_loaded: Annotated[list[NotLoaded], Meta(max_length=MOST_NOT_LOADED)] = []    # since its memory is full
    key: Annotated[bytes, Meta(max_length=KEY_BYTES)] = b""      # of the receiver alone, for the seals of requests

    @property
    def nearly_empty(self) -> bool:
        """Whether its battery lasts for little more than its own work."""
        return self.battery is not None and self.battery < NEARLY_EMPTY


class StreamSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How the requests of one stream fared that have ended since the last report, all under one placement."""

    stream: FleetName
    variant: ShortText                 # of the placement in force all that time
    where: Annotated[list[ShortText], Meta(min_length=1, max_length=MOST_STAGES)]
    ended: Count
    on_time: Count
    away: Count = 0                    # ended with a result from a peer
    refused: Count = 0                 # failed since peers refused it
    fired: Count = 0                   # its guard fired


class PlanFollowed(msgspec.Struct, frozen=True, kw_only=True):
    """The plan that an agent follows."""

    planner: Name                      # who sent it, and its start
    boot: Count
    epoch: Count
    left_s: Seconds                    # of its lease


class Feedback(Message, frozen=True, kw_only=True):
    """What an agent tells planners: links that have changed, how its streams fared, and the plan that it follows."""

    links: Annotated[dict[ShortText, tuple[Seconds, Rate]], Meta(max_length=MOST_MEMBERS)] = {}
    """By peer: round trip in s, bytes per s."""

    streams: Annotated[list[StreamSeen], Meta(max_length=MOST_STREAMS)] = []
    plan: PlanFollowed | None = None


class PlanNews(Message, frozen=True, kw_only=True):
    """A plan, or the renewal of its lease (the same epoch again)."""

    plan: Plan
