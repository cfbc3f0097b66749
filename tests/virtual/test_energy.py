"""Batteries in virtual time: the team goes on without a robot that has run out, nothing is lost, and it repeats."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.core.policy import draw
from swarm.core.settings.launch_file import FaultSpec, LaunchFile
from swarm.virtual.explore.drawing import FULL, SMALL, Sizes, drawn, resolved
from swarm.virtual.explore.explorer import explored
from tests.virtual.flights import LAUNCH, events, flown

FLEET = [LAUNCH.fleet[0], msgspec.structs.replace(LAUNCH.fleet[1], battery_wh=0.012)]        # 43 J: about 3 s


def test_a_robot_whose_battery_is_empty_ends_and_its_requests_count(tmp_path: Path) -> None:
    outcome = flown(tmp_path / "run", FaultSpec(at_s=6.0, restart="carrier_0"), fleet=FLEET, duration_s=8.0,
                    policy="greedy")
    assert outcome.error == ""
    summary = outcome.summary
    assert summary is not None
    carrier, rover = summary["agents"]["carrier_0"], summary["agents"]["rover_0"]
    assert (carrier["status"], rover["status"]) == ("empty", "ended")
    assert rover["battery"] is None
    battery = carrier["battery"]
    assert (battery["empty"], battery["charge"], battery["charge_least"]) == (True, 0.0, 0.0)
    assert 0.0 < battery["charge_mean"] < 1.0
    assert min(battery["compute_j"], battery["radio_j"], battery["motion_j"]) > 0.0
    assert summary["energy_j"] == {kind: battery[f"{kind}_j"] for kind in ("compute", "radio", "motion", "charged")}
    assert summary["charge"]["robots_empty"] == 1
    record = events(tmp_path / "run")
    [empty] = [event for event in record if event["what"] == "battery_empty"]
    assert empty["detail"] == {"robot": "carrier_0"}
    assert 1.5 < empty["at_s"] < 5.0
    assert [event["at_s"] for event in record if event["who"] == "carrier_0" and event["at_s"] > empty["at_s"]] == []
    requests = summary["requests"]
    assert requests["lost"] == 0
    assert carrier["due"] == 40                      # they fall due all the time, as of a robot that was killed
    assert carrier["missed"]["agent"] == pytest.approx(5.0 * (8.0 - empty["at_s"]), abs=1.0)
    [fault] = [fault for fault in summary["faults"] if fault["kind"] == "battery"]
    assert fault["target"] == "carrier_0"
    assert summary["overloaded_by"] == []            # it is not this host that kept the robot from its work
    restart = next(fault for fault in summary["faults"] if fault["kind"] == "restart")
    assert restart["done_s"] is None                 # nobody starts it again


def test_energy_repeats_and_a_robot_without_a_battery_is_as_before(tmp_path: Path) -> None:
    first, second = (flown(tmp_path / name, fleet=FLEET, duration_s=2.0, policy="greedy").summary for name in "ab")
    assert first is not None
    assert second is not None
    assert first["state_hash"] == second["state_hash"]
    assert first["energy_j"] == second["energy_j"]
    plain = flown(tmp_path / "c", duration_s=2.0, policy="greedy").summary
    assert plain is not None
    assert plain["energy_j"] == dict.fromkeys(("compute", "radio", "motion", "charged"))
    assert plain["charge"] == {"least": None, "mean": None, "robots_empty": 0}


def with_batteries(launch: LaunchFile, seed: int) -> LaunchFile:
    """Batteries that last for about a second to all of the run."""
    rng = draw.stream(seed, "batteries")
    return msgspec.structs.replace(launch, fleet=[
        msgspec.structs.replace(fleet, battery_wh=round(rng.uniform(0.003, 0.02), 4)) for fleet in launch.fleet])


@pytest.mark.parametrize(("seed", "sizes"), [
    (1, SMALL),
    *(pytest.param(seed, FULL, marks=pytest.mark.long) for seed in range(20))])
def test_in_random_launches_with_batteries_everything_holds(seed: int, sizes: Sizes) -> None:
    assert explored(resolved(with_batteries(drawn(seed, sizes), seed))).broken is None
