"""No robot depends on another robot or on its own models to stay safe: only its lidar prevents collisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_worlds.sensors.suite import LIDAR
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Act, Pose
from swarm.core.settings.boards import Board
from swarm.core.units import seconds
from tests.agents.test_agent import SCAN, Stage

BOARD = Board(speed={"fp32": 0.01, "int8": 0.01}, power_w=1, source="test")
STREAM = StreamSpec(name="detect", model="detector", rate_hz=5.0, deadline_s=3600.0)
AHEAD_M = 0.35                       # a wall all around, hardly beyond the robot's edge
TURN_S = 0.05                        # between two observations, on the robot's own way round


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, board=BOARD, streams=[STREAM])
    yield stage
    stage.close()


def test_it_stops_by_lidar_while_all_peers_are_silent_and_the_executor_is_busy(stage: Stage) -> None:
    stage.up(msg.InjectedFaults(slow=1000.0))
    stage.net.silent.update({"mule", "planner"})
    stage.first_request()                                    # takes the executor for longer than all of this test
    heading_rad = 0.0

    def last() -> Act:
        return stage.got("world", msg.Acted)[-1].act

    def sense(scan: NDArray[np.float32], v_mps: float) -> None:
        stage.frames += 1
        stage.world.send("rover", msg.Sensed(
            sequence=stage.frames, at_s=seconds(stage.net.loop.clock.now_ns()), age_s=0.0,
            pose=Pose(0.0, 0.0, heading_rad), v_mps=v_mps, w_radps=0.0, bumped=False,
            frame=False), [scan])

    def drives() -> bool:                                    # once it has looked around where it stands
        nonlocal heading_rad
        if stage.got("world", msg.Acted):
            heading_rad += TURN_S * last().w_radps
        sense(SCAN, 0.0)
        return bool(stage.got("world", msg.Acted)) and last().v_mps > 0.0

    def stands() -> bool:
        sense(np.full(LIDAR.beams, AHEAD_M, np.float32), 0.6)
        return last().v_mps <= 0.0

    stage.net.until(drives)
    stage.net.until(stands)
    assert not stage.got("launcher", msg.Ended)              # the run goes on; nobody waited for it
