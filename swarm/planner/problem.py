"""What the planner knows: agents with what their boards can run, streams, and the links between agents.

Small, because everything in this package stands on it: what can be chosen is in `options.py` and `instance.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StreamSpec


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the planner sees it."""

    name: str
    profiles: tuple[Profile, ...]
    executors: int = 1
    alive: bool = True
    background: float = 0.0          # utilisation that no stream of the plan explains, in executors


class StreamOf(msgspec.Struct, frozen=True, kw_only=True):
    """A stream and the agent that owns it."""

    agent: str
    spec: StreamSpec

    @property
    def key(self) -> tuple[str, str]:
        return self.agent, self.spec.name


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One planning problem. A pair that is absent from `links` cannot be used."""

    agents: tuple[AgentInfo, ...]
    streams: tuple[StreamOf, ...]
    links: Mapping[tuple[str, str], LinkQuality]
