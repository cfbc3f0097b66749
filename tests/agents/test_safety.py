"""No robot depends on another, nor on its own models, to stay safe: what keeps it from hitting things is the lidar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from swarm.core import messages as msg
from swarm.core.config import Board
from swarm.core.plan import StreamSpec
from swarm.core.world import LIDAR, Pose
from tests.agents.test_agent import Stage

SLOW = Board(speed={"fp32": 0.001, "int8": 0.001}, memory_mb=1, power_w=1, source="test")  # runs take over a second
STREAM = StreamSpec(name="detect", model="detector", rate_hz=5.0, deadline_s=60.0)
AHEAD_M = 0.35                       # a wall all around, hardly beyond the robot's edge


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, board=SLOW, streams=[STREAM])
    yield stage
    stage.close()


def test_it_stops_by_lidar_while_all_peers_are_silent_and_the_executor_is_busy(stage: Stage) -> None:
    stage.up()
    stage.net.silent.update({"mule", "planner"})
    stage.first_request()                                    # takes the executor for longer than all of this test
    stage.net.until(lambda: len(stage.got("world", msg.Acted)) == stage.frames)
    assert stage.got("world", msg.Acted)[-1].act.v_mps >= 0.0

    stage.frames += 1
    wall = np.full(LIDAR.beams, AHEAD_M, np.float32)
    stage.send(stage.world, msg.Sensed(
        sequence=stage.frames, age_s=0.0, pose=Pose(0.0, 0.0, 0.0), v_mps=0.6, w_radps=0.0, bumped=False, frame=False,
    ), [wall])
    act = stage.wait("world", msg.Acted, stage.frames).act
    assert act.v_mps <= 0.0
    assert not stage.got("launcher", msg.Ended)              # the run goes on; nobody waited for it
