"""What claims are worth together, counted by hand, and what a robot gets that guesses."""

from __future__ import annotations

from typing import Any

import pytest

from agents.behaviours import Output
from sim_worlds import scenarios
from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.physics.solids import place_thing
from sim_worlds.scenarios.search_rescue.claims import PRICE, Claims
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Observation, Report
from swarm.core.settings.process_files import RobotSpec

STEP_M = 1.0                         # of the guesser's grid: no place is 0.75 m from all of its points


def claims() -> Claims:
    """Four targets: beacons at x = 0 and 10, hazards at 20 and 30."""
    return Claims([place_thing(label, [], x, 0.0, 0.0)
                   for label, x in (("beacon", 0.0), ("beacon", 10.0), ("hazard", 20.0), ("hazard", 30.0))])


def made(label: str, x_m: float, y_m: float = 0.0) -> Report:
    return Report(kind="claim", values={"label": label, "x_m": x_m, "y_m": y_m})


class Guesser:
    """A behaviour that stands still and claims every label at every point of a grid, a point an observation."""

    def __init__(self, robot: str, team: list[str], sensors: SensorSuite) -> None:
        count = int(sensors.area_m / STEP_M) + 1
        points = [((i - count // 2) * STEP_M, (j - count // 2) * STEP_M) for i in range(count) for j in range(count)]
        self._points = points[team.index(robot)::len(team)]

    def on(self, event: Observation, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if not self._points:
            return []
        x, y = self._points.pop()
        return [made(label, x, y) for label in TARGET_CLASSES]


def test_a_right_claim_brings_the_time_since_and_a_wrong_one_costs_it() -> None:
    """Found at 2 and 6 s of 10, wrong at 7 s: (8 + 4 - 3) / (4 x 10)."""
    all_claims = claims()
    assert PRICE == 1.0
    assert all_claims.worth(0.0) == 0.0
    assert all_claims.judge("a", made("beacon", 0.0), 2.0) == "found"
    assert all_claims.judge("b", made("hazard", 20.0), 6.0) == "found"
    assert all_claims.worth(10.0) == pytest.approx(12 / 40)
    assert all_claims.judge("b", made("casualty", 5.0), 7.0) == "wrong"
    assert all_claims.worth(7.0) == pytest.approx((5 + 1 - 0) / 28)
    assert all_claims.worth(10.0) == pytest.approx((8 + 4 - 3) / 40)


def test_a_false_alarm_costs_more_the_earlier_it_is_made_and_the_worth_is_never_below_zero() -> None:
    """Wrong at 1 s and found at 6 s: 0 at 10 s; -(9 - 4) without the bound. Three more right ones pay for it later."""
    all_claims = claims()
    all_claims.judge("a", made("hazard", 0.0), 1.0)          # a beacon, not a hazard
    all_claims.judge("a", made("beacon", 0.0), 6.0)
    assert all_claims.worth(10.0) == 0.0
    for label, x in (("beacon", 10.0), ("hazard", 20.0), ("hazard", 30.0)):
        all_claims.judge("a", made(label, x), 8.0)
    assert all_claims.worth(10.0) == pytest.approx((4 + 3 * 2 - 9) / 40)


def test_the_same_wrong_claim_is_paid_once_whoever_repeats_it() -> None:
    """Found at 0 s; wrong at 4 s, and within 0.25 m again, whose verdict was lost: (10 - 6) / 40."""
    all_claims = claims()
    all_claims.judge("a", made("beacon", 0.0), 0.0)
    for robot, x, at_s in (("a", 5.0, 4.0), ("a", 5.0, 5.0), ("b", 5.2, 6.0)):
        assert all_claims.judge(robot, made("beacon", x), at_s) == "wrong"
    assert (len(all_claims.wrong_s), all_claims.worth(10.0)) == (1, pytest.approx(4 / 40))
    for label, x in (("beacon", 5.3), ("beacon", 5.56), ("hazard", 5.0)):        # elsewhere, or of another label
        all_claims.judge("a", made(label, x), 9.0)
    assert all_claims.wrong_s == [4.0, 9.0, 9.0, 9.0]


def test_the_target_of_a_repeated_claim_is_told_again_for_nothing() -> None:
    all_claims = claims()
    for at_s, verdict in ((0.0, "found"), (1.0, "duplicate"), (2.0, "duplicate")):
        assert all_claims.judge("a", made("beacon", 0.5), at_s) == verdict
    assert (all_claims.worth(4.0), all_claims.duplicate) == (pytest.approx(4 / 16), 2)


def test_every_malformed_claim_is_paid() -> None:
    all_claims = claims()
    malformed: list[dict[str, Any]] = [{}, {}, {"label": "beacon"}, {"label": 7.0, "x_m": 0.0, "y_m": 0.0}]
    for values in malformed:
        assert all_claims.judge("a", Report(kind="claim", values=values), 1.0) == "wrong"
    assert all_claims.wrong_s == [1.0] * 4


@pytest.mark.parametrize("name", ["search_rescue", "convoy"])
def test_who_claims_all_over_a_grid_finds_most_and_gets_nothing(name: str) -> None:
    team = [f"rover_{k}" for k in range(4)]
    fleet = [RobotSpec(name=robot, kind="rover", physics="kinematic") for robot in team]
    with scenarios.load(name).build(fleet, 5, render=False) as world:
        guessers = {robot: Guesser(robot, team, world.sensors(robot)) for robot in team}
        seen = {robot: world.observe(robot, frame=False) for robot in team}
        for k in range(200):
            for robot, guesser in guessers.items():
                for report in guesser.on(seen[robot], k):
                    assert isinstance(report, Report)
                    world.judge(robot, report)
            world.step()
        values = {measure.name: measure.value for measure in world.mission().measures}
    found = values["found" if name == "search_rescue" else "delivered"]
    assert found >= 0.9 * values["targets" if name == "search_rescue" else "things"]
    assert values["wrong_claims"] > 300
    assert values[world.mission().headline] == 0.0
