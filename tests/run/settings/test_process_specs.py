"""What each process of a run is told by its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.protocol.messages import Member
from swarm.core.settings import validation, yaml_text
from swarm.core.settings.process_files import AgentFile, PlannerFile, WorldFile
from swarm.launcher.load import load_launch
from swarm.run.settings.process_specs import camera_hz, process_specs
from swarm.run.settings.resolve import Options, Resolved
from tests.launcher.world import write_launch

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")


def resolved(folder: Path, **options: object) -> Resolved:
    return load_launch(Options(launch=str(write_launch(folder)), **options))    # pyright: ignore[reportArgumentType]


def test_each_process_gets_its_file(tmp_path: Path) -> None:
    run = resolved(tmp_path, policy="planner", assignments=["streams.1.on=[carrier]", "streams.0.on=[rover]"])
    specs = {spec.name: spec for spec in process_specs(run, "s-1", LAUNCHER, "keys")}
    assert list(specs) == ["world", "rover_0", "rover_1", "carrier_0", "planner"]
    rover, world = specs["rover_0"].settings, specs["world"].settings
    assert isinstance(rover, AgentFile)
    assert isinstance(world, WorldFile)
    assert [stream.name for stream in rover.streams] == ["detect"]
    assert rover.team == ["rover_0", "rover_1", "carrier_0"]
    assert rover.board == run.launch.boards["orin_nano"]
    assert [robot.kind for robot in world.robots] == ["rover", "rover", "carrier"]
    assert validation.check(yaml_text.parse(yaml_text.dump(rover), "file"), AgentFile, "file") == rover
    assert rover.record == ""


def test_the_planner_is_told_its_times(tmp_path: Path) -> None:
    run = resolved(tmp_path, policy="planner", assignments=["planner.lease_s=0.5"])
    (planner,) = [spec.settings for spec in process_specs(run, "s-1", LAUNCHER, "keys")
                  if isinstance(spec.settings, PlannerFile)]
    assert (planner.lease_s, planner.every_s) == (0.5, 1.0)


def test_agents_are_told_where_to_record(tmp_path: Path) -> None:
    run = resolved(tmp_path, record=True)
    agents = [spec.settings for spec in process_specs(run, "s-1", LAUNCHER, "keys", "out/recordings")
              if isinstance(spec.settings, AgentFile)]
    assert {agent.record for agent in agents} == {"out/recordings"}


@pytest.mark.parametrize("rate_hz", [1.0, 3.0, 5.0, 7.0, 20.0])
def test_the_world_senses_at_least_as_often_as_the_fastest_stream(tmp_path: Path, rate_hz: float) -> None:
    run = resolved(tmp_path, assignments=[f"streams.0.rate_hz={rate_hz}"])
    world = process_specs(run, "s-1", LAUNCHER, "keys")[0].settings
    assert isinstance(world, WorldFile)
    assert world.sense_hz == world.frame_hz >= max(rate_hz, 5.0)


@pytest.mark.parametrize(("rates_hz", "frame_hz"), [
    ([], 5.0), ([5.0, 1.0], 5.0), ([1.0], 5.0), ([3.0, 1.0], 6.0), ([2.0, 3.0], 6.0), ([7.0], 7.0), ([0.5, 2.0], 6.0),
    ([2.5, 3.0], 15.0), ([30.0, 15.0], 30.0), ([60.0, 20.0], 60.0), ([1 / 3, 5.0], 5.0), ([0.001], 5.0)])
def test_cameras_have_the_rate_that_all_streams_divide(rates_hz: list[float], frame_hz: float) -> None:
    assert camera_hz(rates_hz) == frame_hz


def test_cameras_take_no_more_frames_than_the_highest_rate_needs_where_the_common_one_is_too_high() -> None:
    assert camera_hz([7.0, 11.0, 1.0]) == 11.0               # not 77
