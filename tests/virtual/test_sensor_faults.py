"""Faults of sensors in whole runs: they begin, show in the records, and end; and no behaviour of ours fails by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents import behaviours
from sim_worlds import scenarios
from swarm.core.protocol.sensors import BIASES
from swarm.core.settings.launch_file import FaultSpec, FleetSpec
from swarm.core.settings.process_files import RobotSpec
from swarm.launcher.load import Installed, load_launch
from swarm.run.settings.resolve import Options
from swarm.virtual.launch import VirtualLaunch
from tests.virtual.flights import events, flown

FOR_S = 1.5
SIZES = {"by_m": 40.0, "by_rad": 3.0, "by_mps2": 5.0, "by_radps": 5.0, "scale": 9.0}
FLIGHTS = [*((name, name) for name in scenarios.available()), ("search_rescue", "search_baseline"), *(
    (name, f"{name}_baseline") for name in scenarios.available() if f"{name}_baseline" in behaviours.available())]


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def test_a_camera_without_frames_is_missed_by_the_body_and_told_in_the_records(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fault = FaultSpec(at_s=1.0, dropout="rover_0", sensor="camera", for_s=2.0)
    assert flown(out, fault).error == ""
    found = summary(out)
    assert found["requests"]["missed"]["body"] == pytest.approx(10, abs=1)       # 5 Hz
    assert found["requests"]["lost"] == 0
    assert found["host_overloaded"] is False
    (record,) = found["faults"]
    assert (record["kind"], record["target"], record["sensor"]) == ("dropout", "rover_0", "camera")
    assert (record["done_s"], record["ended_s"]) == (pytest.approx(1.0), pytest.approx(3.0))
    told = [(e["at_s"], e["what"], e["detail"]["fault"]) for e in events(out) if e["what"] in ("fault", "fault_over")]
    assert told == [(pytest.approx(1.0), "fault", "dropout rover_0 camera"),
                    (pytest.approx(3.0), "fault_over", "dropout rover_0 camera")]


def test_a_robot_without_its_lidar_stands_until_it_is_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fleet = [FleetSpec(name="rover", count=1, board="fast", physics="kinematic")]
    fault = FaultSpec(at_s=2.0, dropout="rover", sensor="lidar", for_s=3.0)
    assert flown(out, fault, fleet=fleet, duration_s=8.0, streams=[]).error == ""
    way = [(line["time_s"], line["robots"]["rover_0"]) for line in map(
        json.loads, (out / "paths.jsonl").read_text().splitlines())]
    blind = {(at[0], at[1]) for time_s, at in way if 3.0 < time_s < 4.9}
    assert len(blind) == 1
    assert {(at[0], at[1]) for time_s, at in way if time_s > 6.0} != blind


@pytest.mark.long
@pytest.mark.parametrize(("scenario", "behaviour"), FLIGHTS, ids=str)
def test_no_behaviour_fails_by_an_ailing_sensor(scenario: str, behaviour: str, tmp_path: Path) -> None:
    """Each sensor of each of four robots drops out, freezes and is very wrong, one after the other."""
    def given(*assignments: str) -> Options:
        return Options(launch=scenario, clock="virtual", policy="local", robots=4, duration_s=9.0, ray="none",
                       assignments=["fleet.*.physics=kinematic", "fleet.*.sensors=noisy", f"behaviour={behaviour}",
                                    *assignments])

    resolved = load_launch(given())
    robots = [RobotSpec(name=robot, kind=resolved.kinds[fleet.name], physics="kinematic", sensors="noisy")
              for fleet in resolved.launch.fleet for robot in fleet.robots()]
    suites = Installed(tmp_path).sensors(scenario, robots, resolved.launch.seed)
    faults = list[dict[str, Any]]()
    for k, (robot, suite) in enumerate(suites.items()):
        for i, (name, sensor) in enumerate(suite.sensors.items()):
            sizes = {key: SIZES[key] for key in BIASES.get(type(sensor), ())}
            ills = [{"dropout": robot}, {"freeze": robot}, *([{"bias": robot, **sizes}] if sizes else [])]
            for turn, ill in enumerate(ills):
                at_s = 2.0 * ((turn + i + k) % 4)
                faults.append({"at_s": at_s, "sensor": name, "for_s": FOR_S, **ill})
    outcome = VirtualLaunch(load_launch(given(f"faults={json.dumps(faults)}")), tmp_path / "out", command=["test"],
                            report=False).run()
    assert outcome.error == ""
    assert outcome.summary is not None
    assert outcome.summary["requests"]["lost"] == 0
    assert all(record["ended_s"] is not None for record in outcome.summary["faults"])
