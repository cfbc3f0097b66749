"""The world's server on the ports of a host without a machine: one thread, no sockets, a clock that the test moves."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from sim_worlds.engine import Engine, mission_of
from sim_worlds.sensors.suite import LIDAR, SUITE
from sim_worlds.slips import Slips
from sim_worlds.world_server import MAX_TURN_S, REST_SHARE, WorldServer
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Slip
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Fly, Observation, Pose
from swarm.core.settings.process_files import RobotSpec, WorldFile
from swarm.core.units import ns, seconds
from tests.one_thread.hosts import Stage
from tests.sim_worlds.rooms import room

ROBOTS = ("rover_0", "rover_1")
SENSE_HZ, FRAME_HZ = 20.0, 5.0
STEP_S = 1 / 60                      # of a world without rigid bodies
STEP_NS, SENSE_NS = ns(STEP_S), ns(1 / SENSE_HZ)


class Slow(Engine):
    """A room whose observations take time on the stage's clock, as rendering does on a real host."""

    def __init__(self, stage: Stage, render_s: float) -> None:
        fleet = [RobotSpec(name=name, kind="rover", physics="kinematic") for name in ROBOTS]
        super().__init__(room([Pose(-2.0, -1.0, 0.0), Pose(-2.0, 1.0, 0.0)]), fleet, scenario="room", seed=0,
                         render=False)
        self._stage, self._render_s = stage, render_s
        self.asked: list[tuple[str, bool]] = []

    def observe(self, robot: str, *, frame: bool) -> Observation:
        self.asked.append((robot, frame))
        self._stage.clock.at_ns += ns(self._render_s)
        return super().observe(robot, frame=frame)

    def mission(self) -> Mission:
        return mission_of("collisions", {"collisions": ("", "contacts")}, {"collisions": self.motion.contacts.episodes})


class Team:
    """A launcher, two robots and the server of their world, started."""

    def __init__(self, *, render_s: float = 0.0, for_s: float | None = None) -> None:
        self.stage = Stage()
        hosts = [self.stage.host("launcher", "launcher"), *map(self.stage.host, ROBOTS)]
        self.ends = {host.transport.member.name: host.transport for host in hosts}
        self.got = {host.transport.member.name: host.got for host in hosts}
        host = self.stage.host("world", "world")
        for end in self.ends.values():
            end.join([host.transport.member])
        self.world = Slow(self.stage, render_s)
        WorldServer(host, WorldFile(
            version=1, swarm="stage", scenario="room", sense_hz=SENSE_HZ, frame_hz=FRAME_HZ, robots=[],
            launcher=self.ends["launcher"].member, roster=[self.ends[name].member for name in ROBOTS],
        ), self.world).begin()
        self.ends["launcher"].send("world", msg.Start(for_s=for_s))
        self.stage.until(lambda: bool(self.sensed("rover_0")))
        self.began_ns = self.sensed("rover_0")[0].at_ns

    def sensed(self, robot: str) -> list[Received]:
        return [message for message in self.got[robot] if isinstance(message.body, msg.Sensed)]

    def news(self) -> msg.WorldNews:
        """The next news."""
        count = len(self.got["launcher"])

        def fresh() -> list[msg.WorldNews]:
            return [m.body for m in self.got["launcher"][count:] if isinstance(m.body, msg.WorldNews)]

        self.stage.until(lambda: bool(fresh()))
        return fresh()[0]

    def slips(self) -> list[Slip]:
        """All that the launcher was told, the last word on each."""
        news = [m.body for m in self.got["launcher"] if isinstance(m.body, msg.WorldNews)]
        return list({slip.from_s: slip for one in news for slip in one.slips}.values())

    def x_m(self, robot: str) -> float:
        return self.world.motion.poses[self.world.index(robot)].x_m


def test_robots_are_sensed_at_their_rate_in_turn_with_frames_at_theirs() -> None:
    team = Team()
    team.stage.wait(2.0)
    for name in ROBOTS:
        gaps = [b.at_ns - a.at_ns for a, b in itertools.pairwise(team.sensed(name))]
        assert len(gaps) >= 38
        assert all(abs(gap - SENSE_NS) <= STEP_NS for gap in gaps)
        asked = [frame for robot, frame in team.world.asked if robot == name]
        assert asked == [k % round(SENSE_HZ / FRAME_HZ) == 0 for k in range(len(asked))]
    late_ns = team.sensed("rover_1")[0].at_ns - team.began_ns
    assert abs(late_ns - SENSE_NS // 2) <= STEP_NS


def test_the_news_tell_where_robots_are_whatever_they_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    team, elsewhere = Team(), Pose(9.0, 9.0, 0.0)
    sense = team.world.observe
    monkeypatch.setattr(team.world, "observe", lambda robot, *, frame: msgspec.structs.replace(
        sense(robot, frame=frame), pose=elsewhere))
    team.stage.wait(0.5)
    assert team.news().poses == dict(zip(ROBOTS, team.world.motion.poses, strict=True))
    monkeypatch.setattr(team.world, "poses", dict)           # as of a world that does not know
    assert team.news().poses == dict.fromkeys(ROBOTS, elsewhere)


def test_an_act_moves_a_robot_until_its_time_to_live_ends() -> None:
    team = Team()
    before = team.x_m("rover_0")
    team.ends["rover_0"].send("world", msg.Acted(act=Drive(v_mps=0.45, w_radps=0.0, ttl_s=1.0)))
    team.stage.wait(2.0)
    assert team.x_m("rover_0") - before == pytest.approx(0.45, abs=0.02)      # it brakes as long as it speeds up
    assert team.x_m("rover_1") == -2.0
    last = team.sensed("rover_0")[-1].body
    assert isinstance(last, msg.Sensed)
    assert (last.pose.x_m, last.v_mps) == (team.x_m("rover_0"), 0.0)


def test_gone_stops_a_robot_and_back_restores_it() -> None:
    team = Team()
    act = msg.Acted(act=Drive(v_mps=0.3, w_radps=0.0, ttl_s=30.0))
    team.ends["rover_0"].send("world", act)
    team.stage.wait(1.0)
    assert team.x_m("rover_0") > -1.8
    team.ends["launcher"].send("world", msg.Gone(name="rover_0", boot=1))
    team.stage.wait(0.4)
    stood, count = team.x_m("rover_0"), len(team.sensed("rover_0"))
    team.ends["rover_0"].send("world", act)                  # a last message of the agent that ended
    team.stage.wait(1.0)
    assert (team.x_m("rover_0"), len(team.sensed("rover_0"))) == (stood, count)
    team.ends["launcher"].send("world", msg.Back(name="rover_0", boot=2))
    team.stage.wait(1.0)
    assert team.x_m("rover_0") == stood                      # it waits for a command of its new agent
    assert len(team.sensed("rover_0")) >= count + 18
    team.ends["rover_0"].send("world", act)
    team.stage.wait(1.0)
    assert team.x_m("rover_0") > stood + 0.2


def test_simulated_time_follows_the_clock() -> None:
    team = Team()
    started_ns = team.stage.clock.at_ns - ns(team.world.time_s)
    team.stage.wait(3.0)
    behind_s = seconds(team.stage.clock.at_ns - started_ns) - team.world.time_s
    assert abs(behind_s) <= 2 * STEP_S
    news = team.news()
    assert news.lag_ms_p99 == 0.0                            # every turn began when its step was due
    assert news.real_time_factor == pytest.approx(1.0, abs=2 * STEP_S / 3.0)


def test_a_turn_that_begins_late_lags_by_as_much_and_no_more() -> None:
    team = Team(render_s=0.015)                              # two robots, 20 Hz each: two turns of three render
    team.stage.wait(5.0)
    turn_ms = (1.0 + REST_SHARE) * 15.0                      # from one that renders to the next
    assert team.news().lag_ms_p99 == pytest.approx(2 * (turn_ms - STEP_S * 1e3), abs=0.2)


def test_the_real_time_factor_is_simulated_over_real_time_and_ends_with_the_streams() -> None:
    team = Team()
    started_ns = team.stage.clock.at_ns
    team.stage.wait(3.0)
    team.stage.clock.at_ns += ns(2.0)                        # held up
    team.stage.wait(3.2)
    real_s = seconds(team.stage.clock.at_ns - started_ns)
    team.ends["launcher"].send("world", msg.Drain())
    news = team.news()
    assert news.real_time_factor == pytest.approx(news.time_s / real_s, abs=0.002)
    assert news.real_time_factor == pytest.approx(6.3 / 8.2, abs=0.003)      # it caught up with 0.1 s of the 2 s
    count = len(team.got["launcher"])
    team.stage.timers.run(lambda: False, team.stage.clock.at_ns + ns(5.0))
    assert not [m for m in team.got["launcher"][count:] if isinstance(m.body, msg.WorldNews)]


def test_simulated_time_slips_when_the_clock_jumps() -> None:
    team = Team()
    team.stage.wait(1.0)
    before_s = team.world.time_s
    team.stage.clock.at_ns += ns(10.0)
    team.stage.wait(STEP_S)
    assert team.world.time_s - before_s <= MAX_TURN_S + 3 * STEP_S
    news = team.news()
    assert news.real_time_factor < 0.2
    (slip,) = team.slips()
    lost_s = 10.0 - MAX_TURN_S
    assert (slip.from_s, slip.to_s, slip.lost_s) == pytest.approx((before_s, before_s + lost_s, lost_s), abs=3 * STEP_S)
    assert news.elapsed_s - team.world.time_s == pytest.approx(slip.lost_s)
    after_s, at_ns = team.world.time_s, team.stage.clock.at_ns
    team.stage.wait(1.0)                                     # and from there on it follows again
    assert abs(team.world.time_s - after_s - seconds(team.stage.clock.at_ns - at_ns)) <= 2 * STEP_S


@pytest.mark.parametrize(("render_s", "latency_s"), [(0.0, 0.0), (0.0, 0.05), (0.004, 0.0), (0.004, 0.05)])
def test_an_observation_is_as_old_as_its_sensors_say_however_long_it_renders(
    render_s: float, latency_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slow, "suite", SensorSuite({"lidar": msgspec.structs.replace(LIDAR, latency_s=latency_s)}))
    team = Team(render_s=render_s)
    team.stage.wait(0.5)
    ages_s = [message.body.age_s for name in ROBOTS for message in team.sensed(name)
              if isinstance(message.body, msg.Sensed)]
    assert len(ages_s) >= 10
    assert ages_s == [pytest.approx(latency_s, abs=1e-9)] * len(ages_s)


def test_a_frame_is_due_when_the_schedule_says_however_late_it_is_sent() -> None:
    """On the world's clock: simulated time, and all slips."""
    team = Team()
    team.stage.wait(1.0)
    team.stage.clock.at_ns += ns(0.04)                       # a short stall: it catches up
    team.stage.wait(0.5)
    team.stage.clock.at_ns += ns(10.0)
    team.stage.wait(1.0)
    sensed = [(m.at_ns, m.body) for m in team.sensed("rover_1") if isinstance(m.body, msg.Sensed)]
    gaps_s = [b.at_s - a.at_s for (_, a), (_, b) in itertools.pairwise(sensed)]
    even = sum(gap == pytest.approx(1 / SENSE_HZ) for gap in gaps_s)
    assert even == len(gaps_s) - 2                           # all but the jump, and the catching up
    assert max(gaps_s) == pytest.approx(10.0, abs=2 / SENSE_HZ)
    late_s = [seconds(at_ns - team.began_ns) - body.at_s for at_ns, body in sensed]
    assert min(late_s) == pytest.approx(late_s[0], abs=3 * STEP_S)


def test_slips_near_to_each_other_are_one() -> None:
    slips = Slips()
    slips.add(1.0, 0.2)
    slips.add(1.5, 0.3)
    slips.add(4.0, 0.1)
    assert slips.news() == [Slip(1.0, 1.8, 0.5), Slip(4.0, 4.1, 0.1)]
    assert slips.news() != []                                # until it was told
    slips.told()
    assert slips.news() == []
    slips.add(4.3, 0.2)                                      # the last one goes on: told again, as a whole
    assert [s.from_s for s in slips.news()] == [4.0]


def test_a_world_that_is_held_up_when_the_run_ends_says_so() -> None:
    team = Team()
    team.stage.wait(0.5)
    team.ends["launcher"].send("world", msg.Drain())
    team.stage.clock.at_ns += ns(3.0)                        # it reads the message 3 s later
    team.news()
    (slip,) = team.slips()
    assert slip.lost_s == pytest.approx(3.0 - MAX_TURN_S, abs=0.1)


def test_drain_stops_time() -> None:
    team = Team()
    team.stage.wait(0.5)
    team.ends["launcher"].send("world", msg.Drain())
    news = team.news()
    steps = news.steps
    team.stage.timers.run(lambda: False, team.stage.clock.at_ns + ns(5.0))
    assert round(team.world.time_s / STEP_S) == steps > 0
    assert [type(m.body) for m in team.got["launcher"] if not isinstance(m.body, msg.Ready)][-2:] == [
        msg.WorldNews, msg.Scene]


def test_an_agent_that_is_back_is_told_its_sensors_at_once() -> None:
    team = Team()
    team.ends["launcher"].send("world", msg.Gone(name="rover_1", boot=1))
    team.stage.wait(0.1)
    told = [message for message in team.got["rover_1"] if isinstance(message.body, msg.Embodied)]
    began_ns = team.stage.clock.at_ns
    team.ends["launcher"].send("world", msg.Back(name="rover_1", boot=2))
    team.stage.until(lambda: len([m for m in team.got["rover_1"] if isinstance(m.body, msg.Embodied)]) > len(told))
    assert team.stage.clock.at_ns - began_ns < ns(0.01)
    assert told[0].body == msg.Embodied(sensors=SUITE, frame_hz=FRAME_HZ)


def test_simulated_time_ends_with_the_streams_though_the_launcher_says_nothing() -> None:
    team = Team(for_s=1.0)
    team.stage.wait(3.0)
    assert seconds(team.sensed("rover_0")[-1].at_ns - team.began_ns) == pytest.approx(1.0, abs=2 / SENSE_HZ)


def test_how_late_its_loop_is_since_the_start_is_told_with_its_news() -> None:
    team = Team()
    assert team.news().loop_late_ms_max < 20.0
    team.stage.timers.lateness.add(ns(0.02))
    assert team.news().loop_late_ms_max == 20.0


def test_what_a_robot_cannot_do_is_counted_and_told_at_first_and_at_the_end() -> None:
    team = Team(for_s=2.0)
    for _ in range(3):
        team.ends["rover_0"].send("world", msg.Acted(act=Fly(vx_mps=1.0, vy_mps=0.0, vz_mps=0.0, yaw_radps=0.0)))
        team.stage.wait(0.3)
    assert team.x_m("rover_0") == -2.0
    team.ends["rover_1"].send("world", msg.Acted(act=Drive(v_mps=0.3, w_radps=0.0)))
    team.stage.wait(3.0)
    assert team.x_m("rover_1") > -2.0
    told = [m.body.detail for m in team.got["launcher"]
            if isinstance(m.body, msg.Happened) and m.body.what == "cannot_act"]
    assert told == [{"robot": "rover_0", "acts": 1, "why": "robot rover_0 is a rover, which cannot fly"},
                    {"robot": "rover_0", "acts": 3}]
