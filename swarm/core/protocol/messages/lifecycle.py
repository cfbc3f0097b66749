"""Messages by which a run is conducted: start, drain, end, injected faults, and radio reach."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from swarm.core.protocol.bounds import MOST_MEMBERS, Count, Factor, Finite, Seconds, Share, ShortText
from swarm.core.protocol.messages.transport import Member, Message
from swarm.core.protocol.sensors import MOST_SENSOR_FAULTS, SensorFault

Members = Annotated[list[Member], Meta(max_length=MOST_MEMBERS)]


class Ready(Message, frozen=True, kw_only=True):
    """A process has bound its lanes and loaded everything that it needs."""

    member: Member
    pid: Count


class Roster(Message, frozen=True, kw_only=True):
    """The addresses of all members."""

    members: Members


class Start(Message, frozen=True, kw_only=True):
    """Streams and simulated time begin."""

    since_s: Seconds = 0.0           # how long ago they began, for a process that was restarted
    for_s: Seconds | None = None     # how much longer they run; None: until Drain


class Drain(Message, frozen=True, kw_only=True):
    """Streams stop; open requests run to their end."""


class Drained(Message, frozen=True, kw_only=True):
    """The streams of this agent have stopped, all its requests have ended, and the collector has their endings."""


class Shutdown(Message, frozen=True, kw_only=True):
    """End the process."""


class Gone(Message, frozen=True, kw_only=True):
    """The launcher saw this agent's process end. The world stops its body."""

    name: ShortText
    boot: Count


class Back(Message, frozen=True, kw_only=True):
    """The launcher restarted this agent's process. The world moves its body again."""

    name: ShortText
    boot: Count


class InjectedFaults(Message, frozen=True, kw_only=True):
    """All faults injected into a process from now on; the defaults clear them. Shares are of received messages."""

    deaf_to: Annotated[list[ShortText], Meta(max_length=MOST_MEMBERS)] = []      # members whose messages are dropped
    lose: Share = 0.0                # of the messages of agents and planner is dropped
    corrupt: Share = 0.0             # of these gets flipped bits
    slow: Factor = 1.0               # factor on the run times of models
    clock_step_s: Finite = 0.0       # step of the wall clock
    sensors: Annotated[list[SensorFault], Meta(max_length=MOST_SENSOR_FAULTS)] = []      # of robots: for the world
    seed: Count = 0


class InReach(Message, frozen=True, kw_only=True):
    """From now on the receiver hears these robots and planners by radio, and no others. The world says so."""

    members: Annotated[list[ShortText], Meta(max_length=MOST_MEMBERS)] = []
