"""Why plans change: what is new in the problem, and only where something moved."""

from __future__ import annotations

import msgspec
import pytest

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import WHY_MAX
from swarm.membership.events import Failed
from swarm.planner.causes import FIRST, FOUND, LONGER, joined, lost, why
from swarm.planner.explanation import without
from swarm.planner.problem import Correction, Pair, Problem
from tests.planner.builders import team
from tests.planner.drive import Drive

TEAM = team(2, 2)                    # rover_0, rover_1, carrier_0, carrier_1; 48 Mbit/s, 4 ms
MOVED = {"rover_0", "carrier_0", "carrier_1"}


def linked(changed: dict[Pair, LinkQuality | None]) -> Problem:
    links = {pair: quality for pair, quality in (dict(TEAM.links) | changed).items() if quality is not None}
    return msgspec.structs.replace(TEAM, links=links)


def quality(megabytes_per_s: float, rtt_s: float = 0.004) -> LinkQuality:
    return LinkQuality(rtt_s=rtt_s, bytes_per_s=megabytes_per_s * 1e6)


def surprised(**by: float) -> Problem:
    return msgspec.structs.replace(TEAM, corrections=tuple(Correction(
        agent=agent, stream="detect", model="detector", variant="fp32", where=("carrier_0",), by=error)
        for agent, error in by.items()))


@pytest.mark.parametrize(("before", "after", "told"), [
    (None, TEAM, FIRST),
    (TEAM, TEAM, FOUND),
    (TEAM, without(TEAM, ["carrier_1"]), "carrier_1 is lost"),
    (without(TEAM, ["carrier_1"]), TEAM, "carrier_1 joined"),
    (TEAM, msgspec.structs.replace(TEAM, streams=TEAM.streams[1:]), FOUND),
    (TEAM, linked({("rover_0", "carrier_0"): quality(0.6)}), "link carrier_0 to rover_0: 48 to 4.8 Mbit/s"),
    (TEAM, linked({("rover_0", "carrier_0"): quality(6.0, 0.1)}), "link carrier_0 to rover_0: 4 to 100 ms"),
    (TEAM, linked({("rover_0", "carrier_0"): quality(5.0)}), FOUND),                     # by less than half
    (TEAM, linked({("rover_1", "carrier_0"): quality(0.6)}), FOUND),                     # nothing of rover_1 moved
    (TEAM, linked({("rover_0", "carrier_0"): None}), "link carrier_0 to rover_0 is down"),
    (TEAM, linked({("rover_0", "carrier_0"): quality(60.0), ("carrier_1", "rover_0"): quality(0.6)}),
     "link carrier_1 to rover_0: 48 to 4.8 Mbit/s; link carrier_0 to rover_0: 48 to 480 Mbit/s"),
    (TEAM, surprised(rover_0=-0.3), "rover_0 detect has 30% less in time than was forecast"),
    (TEAM, surprised(rover_0=0.1), "rover_0 detect has 10% more in time than was forecast"),
    (surprised(rover_0=-0.3), surprised(rover_0=-0.3), FOUND),
    (surprised(rover_0=-0.3), surprised(rover_0=-0.1), "rover_0 detect has 20% more in time than was forecast"),
    (surprised(rover_0=-0.3), TEAM, "rover_0 detect has 30% more in time than was forecast"),
    (TEAM, without(TEAM, ["rover_1"]), "rover_1 is lost"),
    (without(TEAM, ["rover_1"]), TEAM, FOUND),                                           # nothing of rover_1 moved
], ids=range(18))
def test_the_cause_is_what_is_new(before: Problem | None, after: Problem, told: str) -> None:
    assert why(before, after, MOVED) == told


def test_load_that_no_plan_explains_is_a_cause_where_something_moved() -> None:
    busy = msgspec.structs.replace(TEAM, agents=tuple(
        msgspec.structs.replace(agent, background=0.4) for agent in TEAM.agents))
    assert why(TEAM, busy, {"carrier_0"}) == "other load of carrier_0: 0.0 to 0.4 executors"


def test_a_longer_search_is_named_where_nothing_else_is_new() -> None:
    assert why(TEAM, TEAM, MOVED, longer=True) == LONGER
    assert why(TEAM, without(TEAM, ["carrier_1"]), MOVED, longer=True) == "carrier_1 is lost"


def test_a_plan_tells_why_it_changed() -> None:
    drive = Drive(team(2, 1))
    drive.advertise()
    drive.pass_time(4.0)
    assert drive.published[0].why == FIRST
    del drive.alive["carrier_0"]
    drive.do(Failed("carrier_0", 1))
    drive.pass_time(2.0)
    repair, after = {plan.epoch: plan for plan in drive.published if "lost" in plan.why}.values()
    assert (repair.solver, repair.why) == ("repair", "carrier_0 is lost")
    assert after.solver != "repair"
    assert after.why.startswith("carrier_0 is lost")


def test_causes_are_bounded() -> None:
    assert joined(lost({"d", "b", "a", "c", "e"})) == "a is lost; b is lost; c is lost; and 2 more"
    assert len(joined(["x" * 300] * 4)) == WHY_MAX
