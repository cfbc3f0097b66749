"""The plan that a robot follows: the newest epoch, and of two planners with one epoch the first."""

from __future__ import annotations

from agents.scheduling.placements import Placements
from swarm.core.policy.plan import Placement, Plan
from swarm.core.units import ns

ONE, OTHER = ("planner", 7), ("standby", 8)


def plan(epoch: int, where: str) -> Plan:
    placement = Placement(agent="rover_0", stream="detect", variant="fp32", where=[where])
    return Plan(epoch=epoch, lease_s=3.0, placements=[placement])


def where(placements: Placements, at_s: float) -> list[str] | None:
    placement = placements.placement("detect", ns(at_s))
    return placement.where if placement is not None else None


def test_a_plan_holds_until_its_lease_ends_and_its_renewal_prolongs_it() -> None:
    placements = Placements("rover_0")
    assert placements.followed(0) is None
    placements.adopt(plan(1, "a"), ONE, ns(0.0))
    placements.adopt(plan(1, "a"), ONE, ns(2.0))
    assert where(placements, 4.9) == ["a"]
    followed = placements.followed(ns(4.0))
    assert followed is not None
    assert (followed.planner, followed.boot, followed.epoch, followed.left_s) == ("planner", 7, 1, 1.0)
    assert where(placements, 5.0) is None
    assert placements.followed(ns(5.0)) is None


def test_while_it_holds_neither_an_older_epoch_nor_another_planners_same_epoch_is_followed() -> None:
    placements = Placements("rover_0")
    placements.adopt(plan(4, "a"), ONE, 0)
    placements.adopt(plan(3, "b"), ONE, ns(0.5))
    placements.adopt(plan(4, "c"), OTHER, ns(0.5))
    assert where(placements, 1.0) == ["a"]
    placements.adopt(plan(5, "d"), OTHER, ns(1.0))         # a newer epoch is, whoever has it
    assert where(placements, 1.0) == ["d"]
    placements.adopt(plan(4, "a"), ONE, ns(4.0))           # and when its lease has ended, any
    assert where(placements, 4.5) == ["a"]


def test_misses_in_sequence_count_until_one_is_in_time_or_the_stream_moves() -> None:
    placements = Placements("rover_0")
    placements.adopt(plan(1, "a"), ONE, 0)
    placed = placements.placement("detect", 0)
    assert placed is not None
    for in_time, missed in ((False, 1), (False, 2), (True, 0), (False, 1)):
        placements.ended(placed, in_time)
        assert placements.missed("detect") == missed
    placements.ended(None, False)                    # it went as none
    placements.adopt(plan(2, "a"), ONE, 0)
    assert placements.missed("detect") == 1
    placements.adopt(plan(3, "b"), ONE, 0)
    placements.ended(placed, False)                  # it went as the stream was placed before
    assert placements.missed("detect") == 0
