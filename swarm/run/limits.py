"""The times of a run: how long its phases may take, and what it waits for."""

from __future__ import annotations

import msgspec

from swarm.core.units import ns

DRAIN_CHECK_NS = ns(0.05)
SETTLE_NS = ns(0.1)                  # from the last process that is ready to the start: all connections are made then
RESPAWN_S = (0.5, 2.0, 8.0)          # from the planner's crash to its next start; after so many crashes it stays away


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long the phases of a run may take, in seconds."""

    ready_s: float = 20.0
    ready_per_robot_s: float = 0.5   # robots load their models at the same time, on the cores that there are
    drain_extra_s: float = 2.0       # beyond the longest deadline
    shutdown_s: float = 5.0
