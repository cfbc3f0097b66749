"""Messages about members and their capabilities: heartbeats, introductions, gossip, adverts, links and plans."""

from __future__ import annotations

from swarm.core.policy.plan import Plan, Profile, StreamSpec
from swarm.core.protocol.bounds import Count, Executors, Rate, Seconds, Share
from swarm.core.protocol.messages.transport import Member, Message


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

    members: list[Member]


class Gossip(Message, frozen=True, kw_only=True):
    """A member has been silent, or has been heard again. The receiver only probes that member."""

    about: str
    boot: Count
    silent: bool


class Advert(Message, frozen=True, kw_only=True):
    """The capabilities and streams of an agent: sent again after each change, until every peer has it."""

    number: Count = 1                  # grows with each change
    battery: Share | None = None       # charge; None: there is no battery, or it cannot be read
    board: str
    executors: Executors
    profiles: list[Profile]
    streams: list[StreamSpec]


class LinkNews(Message, frozen=True, kw_only=True):
    """The measured links of an agent that have changed, for the planner."""

    links: dict[str, tuple[Seconds, Rate]]    # peer -> (round trip in s, bytes per s)


class PlanNews(Message, frozen=True, kw_only=True):
    """A plan, or the renewal of its lease (the same epoch again)."""

    plan: Plan
