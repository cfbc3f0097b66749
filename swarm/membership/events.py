"""Commands of the failure detector: probes and gossip to send, and changes of members to report."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["joining", "alive", "suspect", "lost", "back"]
PRESENT: tuple[State, ...] = ("alive", "suspect", "back")


class Probe(msgspec.Struct, frozen=True):
    """Send these members a heartbeat, which they answer."""

    names: list[str]


class Tell(msgspec.Struct, frozen=True):
    """Tell `to` that a member is silent, or has been heard again."""

    to: list[str]
    about: str
    boot: int
    silent: bool


class Joined(msgspec.Struct, frozen=True):
    """A member is present: for the first time, after a restart, or `back` after a loss."""

    name: str
    boot: int
    back: bool


class Failed(msgspec.Struct, frozen=True):
    """This start of a member is no longer present. A later start knows nothing of it."""

    name: str
    boot: int


class Suspected(msgspec.Struct, frozen=True):
    """A member became suspected, or is no longer suspected. A suspected member gets no new work."""

    name: str
    suspected: bool


Command = Probe | Tell | Joined | Failed | Suspected


class MembershipStatistics(msgspec.Struct, frozen=True):
    """States of all members, and a count since the start."""

    states: dict[str, State]
    stale: int                       # messages of starts that have ended
