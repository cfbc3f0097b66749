"""A world's process around a toy world: real endpoints on loopback, one loop, and nothing that sleeps."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import msgspec
import numpy as np
import pytest

from sim_worlds import process as world_process
from sim_worlds.sensors.true_view import TrueView
from sim_worlds.world_interface import World
from sim_worlds.world_server import MAX_TURN_S, WorldServer
from swarm.core.clock import MonotonicClock
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.scene import Measure, Mission, Scene
from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite
from swarm.core.protocol.world import Act, Drive, Observation, Pose, Report
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec, WorldFile
from swarm.core.units import ns
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.process import Process
from swarm.transport.endpoint import Endpoint
from tests.patience import HANG_NS, HANG_S

ROBOTS = ("rover_0", "rover_1")
ACT = Drive(v_mps=0.3, w_radps=0.1)
SENSORS = SensorSuite({
    "camera": Camera(width_px=3, height_px=2, fov_y_deg=50.0, mount_x_m=0.0, mount_z_m=0.2, pitch_deg=0.0),
    "lidar": Lidar(beams=4, range_m=5.0)})
CLAIM = Report(kind="claim", values={"label": "beacon", "x_m": 1.0, "y_m": 2.0})


class Toy(World):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.names, self.renderer = list(ROBOTS), "toy"
        self.steps, self.dt_s = 0, 1 / 240
        self.step_s = 0.0                                    # how long one takes
        self.acts: list[tuple[str, Act]] = []
        self.claims: list[tuple[str, Report]] = []
        self.removed: list[str] = []

    @property
    def time_s(self) -> float:
        return self.steps * self.dt_s

    def step(self) -> None:
        self.steps += 1
        if self.step_s:
            threading.Event().wait(self.step_s)

    def act(self, robot: str, act: Act) -> None:
        self.acts.append((robot, act))

    def observe(self, robot: str, *, frame: bool) -> Observation:
        return Observation(
            sequence=self.steps, age_s=0.0, pose=Pose(1.0, 2.0, 0.5), v_mps=0.0, w_radps=0.0,
            scan=np.ones(4, np.float32), frame=np.full((2, 3, 3), 7, np.uint8) if frame else None)

    def view(self, robot: str) -> TrueView:
        raise NotImplementedError

    def sensors(self, robot: str) -> SensorSuite:
        return SENSORS

    def judge(self, robot: str, report: Report) -> str:
        self.claims.append((robot, report))
        return "found"

    def remove(self, robot: str) -> None:
        self.removed.append(robot)

    def restore(self, robot: str) -> None:
        self.removed.remove(robot)

    def mission(self) -> Mission:
        return Mission(headline="found", measures=[Measure(name="found", value=len(self.claims))])

    def scene(self) -> Scene:
        return Scene(scenario="toy", seed=0, size_m=4.0, time_s=self.time_s, shapes=[])

    def close(self) -> None:
        pass


class Team:
    """Launcher, robots and the world, with one loop each for the world and for the rest: both are driven in turn."""

    def __init__(self, launched: bool = True) -> None:
        self.loop = Loop(MonotonicClock())
        self.got: dict[str, list[Received]] = {}
        self.ends = {name: self._end(name, "agent") for name in (*ROBOTS, "stranger")}
        self.ends["launcher"] = self._end("launcher", "launcher")
        self.toy = Toy()
        known = [self.ends[name].member for name in ROBOTS]
        settings = WorldFile(
            version=1, swarm="t", scenario="toy", robots=[RobotSpec(name=name, kind="rover") for name in ROBOTS],
            frame_hz=50.0, sense_hz=100.0, launcher=self.ends["launcher"].member if launched else None, roster=known,
        )
        self.process = Process(settings, "world")
        self.server = WorldServer(self.process.host, settings, self.toy)
        self.world_loop = self.process.loop
        for end in self.ends.values():
            end.join([self.process.net.member])

    def _end(self, name: str, role: str) -> Endpoint:
        inbox = self.got.setdefault(name, [])
        return open_endpoint(self.loop, swarm="t", name=name, role=role, boot=1, handler=inbox.append)

    def until(self, condition: Callable[[], bool]) -> None:
        """Drive both loops, a turn each, till a condition holds."""
        end_ns = self.loop.clock.now_ns() + HANG_NS
        while not condition():
            assert self.loop.clock.now_ns() < end_ns, f"not within {HANG_S:g} s"
            for loop in (self.loop, self.world_loop):
                loop.stop()                              # after one turn
                loop.run()

    def say(self, sender: str, body: msg.Body) -> None:
        self.until(lambda: self.ends[sender].send("world", body))

    def heard(self, name: str, kind: type[msg.Message]) -> list[Received]:
        return [message for message in self.got[name] if isinstance(message.body, kind)]

    def close(self) -> None:
        self.process.net.close()
        for end in self.ends.values():
            end.close()
        self.loop.close()
        self.world_loop.close()


@pytest.fixture
def team() -> Iterator[Team]:
    with closing(Team()) as team:
        yield team


@pytest.fixture
def flying(team: Team) -> Team:
    """Started, and both robots have been sensed."""
    team.say("launcher", msg.Start())
    team.until(lambda: all(team.heard(name, msg.Sensed) for name in ROBOTS))
    return team


def test_nothing_moves_before_the_start(team: Team) -> None:
    team.say("rover_0", msg.Acted(act=ACT))
    team.until(lambda: bool(team.toy.acts))
    assert team.toy.steps == 0
    assert team.heard("rover_0", msg.Sensed) == []


def test_observations_arrive_with_a_frame_every_other_time(flying: Team) -> None:
    flying.until(lambda: len(flying.heard("rover_0", msg.Sensed)) >= 4)
    sensed = flying.heard("rover_0", msg.Sensed)
    frames = [message.body.frame for message in sensed]      # pyright: ignore[reportAttributeAccessIssue]
    assert all(one != next_one for one, next_one in itertools.pairwise(frames))
    for message, frame in zip(sensed, frames, strict=True):
        assert message.body.pose == Pose(1.0, 2.0, 0.5)      # pyright: ignore[reportAttributeAccessIssue]
        assert message.body.age_s >= 0.0                     # pyright: ignore[reportAttributeAccessIssue]
        assert [t.shape for t in message.tensors] == [(4,), (2, 3, 3)][:1 + frame]
    assert flying.heard("stranger", msg.Sensed) == []
    happened = flying.heard("launcher", msg.Happened)[0].body
    assert happened == msg.Happened(what="world", detail={"renderer": "toy"})
    assert flying.heard("launcher", msg.Scene)


def test_acts_are_applied_and_claims_are_judged_and_answered(flying: Team) -> None:
    flying.say("rover_1", msg.Acted(act=ACT))
    flying.say("rover_0", msg.Reported(report=CLAIM))
    flying.until(lambda: bool(flying.toy.acts and flying.heard("rover_0", msg.Judged)))
    assert flying.toy.acts == [("rover_1", ACT)]
    assert flying.toy.claims == [("rover_0", CLAIM)]
    assert flying.heard("rover_0", msg.Judged)[0].body == msg.Judged(report=CLAIM, verdict="found")
    flying.until(lambda: len(flying.heard("launcher", msg.Happened)) == 2)
    told = flying.heard("launcher", msg.Happened)[1].body
    assert told == msg.Happened(
        what="judged", detail={"robot": "rover_0", "kind": "claim", "verdict": "found", "label": "beacon", "x_m": 1.0,
                               "y_m": 2.0})


def test_drain_stops_time_and_sends_the_last_news(flying: Team) -> None:
    flying.say("rover_0", msg.Reported(report=CLAIM))
    flying.until(lambda: bool(flying.toy.claims))
    flying.say("launcher", msg.Drain())
    flying.until(lambda: len(flying.heard("launcher", msg.Scene)) == 2)
    last = flying.heard("launcher", msg.WorldNews)[-1].body
    assert isinstance(last, msg.WorldNews)
    assert last.mission == Mission(headline="found", measures=[Measure(name="found", value=1)])
    assert last.steps == flying.toy.steps > 0
    assert last.lag_ms_p99 > 0.0
    assert set(last.poses) == set(ROBOTS)
    count = len(flying.heard("rover_0", msg.Sensed))
    flying.say("rover_0", msg.Acted(act=ACT))                # what moves on is the network, not time
    flying.until(lambda: bool(flying.toy.acts))
    assert last.steps == flying.toy.steps
    assert len(flying.heard("rover_0", msg.Sensed)) <= count + 1     # one may have been on its way


def test_a_robot_whose_agent_is_gone_is_removed_and_sensed_no_more(flying: Team) -> None:
    flying.say("launcher", msg.Gone(name="rover_0", boot=1))
    flying.until(lambda: flying.toy.removed == ["rover_0"])
    flying.say("launcher", msg.Gone(name="rover_0", boot=1))         # again: nothing
    flying.say("rover_0", msg.Acted(act=ACT))                        # its last words
    flying.say("rover_1", msg.Acted(act=ACT))
    flying.until(lambda: bool(flying.toy.acts))
    count = len(flying.heard("rover_1", msg.Sensed))
    flying.until(lambda: len(flying.heard("rover_1", msg.Sensed)) >= count + 3)
    assert {robot for robot, _ in flying.toy.acts} == {"rover_1"}
    assert flying.toy.removed == ["rover_0"]


def test_a_robot_whose_agent_is_back_is_sensed_and_acts_again(flying: Team) -> None:
    flying.say("launcher", msg.Back(name="rover_0", boot=2))         # it was never gone
    flying.say("launcher", msg.Gone(name="rover_0", boot=1))
    flying.until(lambda: flying.toy.removed == ["rover_0"])
    flying.say("rover_0", msg.Back(name="rover_0", boot=2))          # not its own to say
    flying.say("launcher", msg.Back(name="nobody", boot=2))
    count = len(flying.heard("rover_1", msg.Sensed))
    flying.until(lambda: len(flying.heard("rover_1", msg.Sensed)) >= count + 3)
    assert flying.toy.removed == ["rover_0"]
    flying.say("launcher", msg.Back(name="rover_0", boot=2))
    flying.until(lambda: flying.toy.removed == [])
    count = len(flying.heard("rover_0", msg.Sensed))
    flying.until(lambda: len(flying.heard("rover_0", msg.Sensed)) >= count + 2)
    flying.say("rover_0", msg.Acted(act=ACT))
    flying.until(lambda: flying.toy.acts == [("rover_0", ACT)])


def test_a_world_that_cannot_keep_up_still_hears_its_robots(flying: Team) -> None:
    flying.toy.step_s = 0.006                                # of 0.004 that a step has: each turn is as long as may be
    steps, most = flying.toy.steps, round(MAX_TURN_S / flying.toy.dt_s)
    flying.until(lambda: flying.toy.steps > steps + most)
    for _ in range(30):
        flying.say("rover_0", msg.Acted(act=ACT))
    steps = flying.toy.steps
    flying.until(lambda: len(flying.toy.acts) == 30)
    assert flying.toy.steps - steps < 10 * most                 # one message a turn would take thirty


def test_strangers_are_not_listened_to(flying: Team) -> None:
    for body in (msg.Acted(act=ACT), msg.Reported(report=CLAIM), msg.Gone(name="rover_1", boot=1), msg.Drain()):
        flying.say("stranger", body)
    count = len(flying.heard("rover_1", msg.Sensed))
    flying.until(lambda: len(flying.heard("rover_1", msg.Sensed)) >= count + 5)
    assert (flying.toy.acts, flying.toy.claims, flying.toy.removed) == ([], [], [])
    assert flying.heard("stranger", msg.Judged) == []


def test_a_world_without_a_launcher_starts_by_itself() -> None:
    team = Team(launched=False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = team.world_loop.after(HANG_NS, team.world_loop.stop)

    def look() -> None:
        if team.toy.steps > 5:
            team.world_loop.stop()

    team.world_loop.every(ns(0.01), look)
    try:
        team.process.run(team.server.begin)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.cancel()
        team.close()
    assert team.toy.steps > 5


def test_a_fleet_that_cannot_stand_there_is_bad_input() -> None:
    settings = WorldFile(version=1, swarm="t", scenario="search_rescue", robots=[])
    with pytest.raises(BadInput, match=r"w\.yaml: robots: a world needs at least 1 robot"):
        world_process.main(settings, "w.yaml")
    outside = msgspec.structs.replace(settings, robots=[RobotSpec(
        name="rover_0", kind="rover", physics="kinematic", spawn=(99.0, 0.0))])
    with pytest.raises(BadInput, match=r"w\.yaml: robots: "):
        world_process.main(outside, "w.yaml")
