"""Batteries of a world: what is taken from them, what chargers give, and what becomes of a robot that has none left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import Charger
from sim_worlds.robots import ROVER
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import MOST_SENSORS, Battery, Range, SensorSuite
from swarm.core.protocol.world import Drive, Fly, Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

IDLE_W = ROVER.idle_w


class Room(Engine):
    """Some robots in a room."""

    def mission(self) -> Mission:
        return mission_of("nothing", {}, {})


def world_of(*robots: RobotSpec, chargers: tuple[Charger, ...] = (), half_m: float = 4.0, **more: object) -> Room:
    spawns = [Pose(-3.0 + 1.5 * k, 0.0, 0.0) for k in range(len(robots))]
    kind = type("Suite", (Room,), more)
    return kind(replace(room(spawns, half_m=half_m), chargers=chargers), robots, scenario="room", seed=1, render=False)


def rover(name: str = "a", wh: float | None = 0.01, charge: float = 1.0, kind: str = "rover") -> RobotSpec:
    return RobotSpec(name=name, kind=kind, physics="kinematic", battery_wh=wh, charge=charge)


def run(world: Room, for_s: float) -> None:
    for _ in range(round(for_s / world.dt_s)):
        world.step()


def test_what_a_standing_robot_takes_is_its_idle_power_over_time() -> None:
    world = world_of(rover())
    run(world, 2.0)
    battery = world.batteries()["a"]
    assert battery.motion_j == pytest.approx(2.0 * IDLE_W)
    assert battery.charge == pytest.approx(1.0 - 2.0 * IDLE_W / 36.0)
    assert not battery.empty


def test_a_robot_that_drives_takes_more() -> None:
    world = world_of(rover(wh=1.0))
    world.act("a", Drive(v_mps=0.4, w_radps=0.0, ttl_s=99.0))
    run(world, 5.0)
    rolled_j = 0.02 * 6.0 * 9.81 * float(world.motion.at[0, 0] + 3.0) / 0.5          # force x way / efficiency
    kinetic_j = 0.5 * 6.0 * 0.4 ** 2 / 0.5
    assert world.batteries()["a"].motion_j == pytest.approx(5.0 * IDLE_W + rolled_j + kinetic_j, rel=0.002)


def test_the_computer_takes_what_its_agent_tells_and_no_more_if_it_tells_it_again() -> None:
    world = world_of(rover(), rover("b", wh=None))
    for boot, compute_j, radio_j in ((7, 2.0, 1.0), (7, 3.0, 1.5), (7, 3.0, 1.5), (7, 2.5, 1.5), (8, 1.0, 0.5)):
        world.used("a", boot, compute_j, radio_j)
        world.used("b", boot, compute_j, radio_j)
    battery = world.batteries()["a"]                 # the start 8 counts from 0 on
    assert (battery.compute_j, battery.radio_j) == pytest.approx((4.0, 2.0))
    assert battery.charge == pytest.approx(1.0 - 6.0 / 36.0)
    assert set(world.batteries()) == {"a"}


def test_the_sensor_reads_the_charge_and_the_energy_that_is_left() -> None:
    world = world_of(rover(charge=0.5), rover("b", wh=None))
    assert world.observe("a", frame=False).readings["battery"].values == pytest.approx((0.5, 0.005))
    assert world.observe("b", frame=False).readings == {}
    assert [bool(world.sensors(name).all(Battery)) for name in "ab"] == [True, False]


def test_an_empty_robot_stops_for_good() -> None:
    world = world_of(rover(wh=0.005))
    for _ in range(400):
        world.act("a", Drive(v_mps=0.4, w_radps=0.0, ttl_s=1.0))
        world.step()
    assert world.batteries()["a"].empty
    assert world.batteries()["a"].charge == 0.0
    at = float(world.motion.at[0, 0])
    world.restore("a")                               # as if its agent were started again
    world.act("a", Drive(v_mps=0.4, w_radps=0.0, ttl_s=1.0))
    run(world, 1.0)
    assert float(world.motion.at[0, 0]) == at


def test_a_quadrotor_without_energy_sinks_to_the_floor() -> None:
    world = world_of(rover(wh=0.02, kind="quadrotor"))         # 72 J at 70 W: one second
    world.act("a", Fly(vx_mps=0.0, vy_mps=0.0, vz_mps=0.0, yaw_radps=0.0, ttl_s=99.0))
    run(world, 0.9)
    assert world.motion.pose(0).z_m == pytest.approx(1.0)
    run(world, 0.3)
    assert world.batteries()["a"].empty
    assert 0.5 < world.motion.pose(0).z_m < 1.0
    world.remove("a")                                # as the launcher asks for once its process has ended
    run(world, 4.0)
    assert world.motion.pose(0).z_m == pytest.approx(0.06)     # half of its height


def test_a_robot_that_is_switched_off_takes_nothing() -> None:
    world = world_of(rover())
    world.remove("a")
    run(world, 1.0)
    assert world.batteries()["a"].motion_j == 0.0


def test_a_charger_charges_who_stands_there_up_to_full() -> None:
    world = world_of(rover("here", charge=0.5), rover("far", charge=0.5), rover("full"),
                     chargers=(Charger(-3.0, 0.0, 0.4, 16.6), Charger(0.0, 0.2, 0.4, 16.6)))
    run(world, 1.0)
    here, far, full = (world.batteries()[name] for name in ("here", "far", "full"))
    assert here.charged_j == pytest.approx(16.6)
    assert here.charge == pytest.approx(0.5 + 10.0 / 36.0)
    assert far.charged_j == 0.0
    assert (full.charge, full.charged_j) == pytest.approx((1.0, IDLE_W))
    world.act("here", Drive(v_mps=0.1, w_radps=0.0, ttl_s=99.0))
    run(world, 1.0)                                  # while it is still within reach, but drives
    assert world.batteries()["here"].charged_j == pytest.approx(16.6, abs=1.0)


def test_a_robot_without_a_battery_and_a_platform_with_one() -> None:
    assert world_of(rover(wh=None)).batteries() == {}
    world = world_of(RobotSpec(name="a", kind="rover", physics="kinematic", battery_wh="platform"))
    assert world.observe("a", frame=False).readings["battery"].values == pytest.approx((1.0, 26.0))


def test_a_suite_that_is_full_has_no_room_for_a_battery() -> None:
    full = SensorSuite({f"r{k}": Range(range_m=2.0) for k in range(MOST_SENSORS)})
    with pytest.raises(ValueError, match="no room for one more, the battery"):
        world_of(rover(), suite=full)
