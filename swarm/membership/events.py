"""What comes of watching the members of a swarm: whom to ask, what to tell, who came, who was lost."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["joining", "alive", "suspect", "lost", "back"]


class Ask(msgspec.Struct, frozen=True):
    """Send these members a heartbeat, to be answered."""

    names: list[str]


class Tell(msgspec.Struct, frozen=True):
    """Tell `to` that a member is silent, or has been heard again."""

    to: list[str]
    about: str
    boot: int
    silent: bool


class Came(msgspec.Struct, frozen=True):
    """A member is there: for the first time, started anew, or `back` after a loss."""

    name: str
    boot: int
    back: bool


class Lost(msgspec.Struct, frozen=True):
    """A member, or this start of it, is there no more: what it had is gone."""

    name: str
    boot: int


class Doubted(msgspec.Struct, frozen=True):
    """Whether a member is to get new work changes."""

    name: str
    doubted: bool


Command = Ask | Tell | Came | Lost | Doubted


class MembershipStatistics(msgspec.Struct, frozen=True):
    """Members by state, and counts since the start."""

    states: dict[str, State]
    came: int
    lost: int
    ghosts: int                      # messages of a start that is over
    asked: int
    asked_again: int
