"""What an agent tells its body of the energy of its computer, and learns of its battery."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from agents.bodies.battery import BodyBattery
from swarm.core.ports import Health, Traffic
from swarm.core.protocol import messages as msg
from swarm.core.protocol.sensors import Battery, Range, Reading, SensorSuite
from swarm.core.protocol.world import Observation, Pose
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile

BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=10.0, idle_w=4.0, executors=2, source="test")
SUITE = SensorSuite({"nose": Range(range_m=1.0), "pack": Battery()})
NEWS = msg.AgentNews(rss_bytes=0, runs=0, overruns=0, busy_s=5.0, available_s=20.0, refused_in=0, duplicates=0,
                     control_bytes=0)


class Rig:
    """A robot's battery between ports that only remember."""

    def __init__(self, board: Board = BOARD) -> None:
        self.sent: list[tuple[str, msg.Body]] = []
        settings = AgentFile(version=1, swarm="s", name="a", board_name="b", board=board, streams=[], body="world")
        net = SimpleNamespace(
            send=lambda to, body: self.sent.append((to, body)),
            traffic=lambda: Traffic(0, 0, 0, 0, 0, radio=(100, 50_000, 200, 1_000_000)))
        machine = SimpleNamespace(health=lambda: Health(battery=0.9, temperature_c=50.0))
        self.battery = BodyBattery(settings, cast(Any, net), cast(Any, machine))

    def see(self, sensors: SensorSuite | None = SUITE, **readings: tuple[float, ...]) -> None:
        self.battery.observed(Observation(
            sequence=1, age_s=0.0, pose=Pose(0.0, 0.0, 0.0), v_mps=0.0, w_radps=0.0, scan=np.empty(0, np.float32),
            readings={name: Reading(0.0, values) for name, values in readings.items()}), sensors)


def test_it_tells_the_energy_of_board_and_radio() -> None:
    rig = Rig()
    rig.see(pack=(0.5, 13.0))
    rig.battery.tell(NEWS)
    [(to, told)] = rig.sent
    assert to == "world"
    assert isinstance(told, msg.EnergyUsed)
    assert told.compute_j == pytest.approx(4.0 * 10.0 + 6.0 * 2.5)       # 10 s, and 5 s of two executors
    assert told.radio_j == pytest.approx(100 * 420e-6 + 50_000 * 1.9e-6 + 200 * 330e-6 + 1_000_000 * 0.42e-6)


def test_the_advertised_health_has_the_battery_of_the_body() -> None:
    rig = Rig()
    rig.see(pack=(0.5, 13.0), nose=(0.2,))
    rig.battery.tell(NEWS)
    assert rig.battery.health == Health(battery=0.5, battery_wh=13.0)
    real = Rig(msgspec.structs.replace(BOARD, emulated=False))
    real.see(pack=(0.25, 6.5))
    real.battery.tell(NEWS)
    assert real.battery.health == Health(battery=0.25, battery_wh=6.5, temperature_c=50.0)


@pytest.mark.parametrize("sensors", [None, SensorSuite({"nose": Range(range_m=1.0)})])
def test_a_body_without_a_battery_is_told_nothing(sensors: SensorSuite | None) -> None:
    rig = Rig()
    rig.see(sensors, nose=(0.2,))
    rig.battery.tell(NEWS)
    assert rig.sent == []
    assert rig.battery.health == Health()


@pytest.mark.parametrize("values", [(), (0.5,), (1.5, 2.0), (-0.1, 2.0)])
def test_a_reading_that_makes_no_sense_is_not_known(values: tuple[float, ...]) -> None:
    rig = Rig()
    rig.see(pack=values)
    rig.battery.tell(NEWS)
    assert rig.battery.health == Health()


def test_a_board_without_an_idle_figure_takes_a_share_and_is_never_busier_than_wholly() -> None:
    board = msgspec.structs.replace(BOARD, idle_w=None)
    assert board.used_j(10.0, 0.0) == pytest.approx(42.0)
    assert board.used_j(10.0, 30.0) == pytest.approx(100.0)
    assert msgspec.structs.replace(BOARD, idle_w=20.0).used_j(1.0, 0.0) == 10.0      # above its full power
