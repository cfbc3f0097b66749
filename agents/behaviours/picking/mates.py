"""What a robot knows of its teammates."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.core.protocol.world import Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Mate:
    """The newest note of a teammate, without its looks."""

    sequence: int
    heard_at: int                    # ns, own clock
    pose: Pose
    bay: int | None                  # from which it wants to pick
    aisle: int | None                # which it wants to enter, or is in
    ticket: int
