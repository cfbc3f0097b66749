"""What the processes of the bench say to each other: lines of JSON, from parent to child and back."""

from __future__ import annotations

import msgspec

from swarm.core.protocol.messages import Member

SWARM = "siege"
VICTIM, HONEST, ATTACKER = "victim", "honest", "attacker"
NAMES = (VICTIM, HONEST, ATTACKER, "world", "launcher")


class Allies(msgspec.Struct, frozen=True, kw_only=True):
    """Where the victim reaches its launcher."""

    launcher: Member


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """The victim serves its stream and the honest peer."""

    victim: Member
    launcher: Member


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """Count for so long."""

    for_s: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What happened meanwhile."""

    own: int                         # requests of the victim's own stream that ended
    own_on_time: int
    asked: int                       # requests of the honest peer
    served: int                      # of these, answered within their budget
    late_ms_p99: float               # of the timers of the victim's loop
    rss_before_bytes: int
    rss_most_bytes: int
    forged: int                      # results of the attacker that the victim delivered, and reports in another's name


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the attacker attacks: the victim, or a listener that throws everything away."""

    urgent: str
    bulk: str
    public_key: str
    boot: int                        # of the victim
    keys: str                        # key folder, with that of the attacker
    launcher: str                    # its urgent lane
    launcher_key: str
    for_s: float


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What the attacker reached."""

    count: int                       # connections or messages
    took_s: float
