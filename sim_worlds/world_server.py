"""The world as a member of the swarm: it steps by the clock, sends observations, and receives acts and reports.

The newest observation wins: a slow receiver loses older ones. If the host cannot keep up, simulated time slows down
instead of skipping steps, and the lag is recorded.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import msgspec
from numpy.typing import NDArray

from sim_worlds.radio.news import ReachNews
from sim_worlds.sensors.faults import SensorFaults
from sim_worlds.slips import Slips
from sim_worlds.world_interface import CannotAct, World
from swarm.core.policy.lateness import Lateness
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Act, Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import WorldFile
from swarm.core.settings.randomise import AS_BUILT
from swarm.core.units import ns, seconds
from swarm.membership.participant import Participant

MAX_TURN_S = 0.1                     # simulated time of a turn, at most; if the world lags by more, it slows down
NEWS_NS = ns(0.5)
SENSORS_NS = ns(1.0)                 # the sensors are sent again with this period, and retried for as long
RETRY_NS = ns(0.02)
REACH_NS = ns(0.1)                   # simulated time between two looks at who is in radio reach
REST_SHARE = 0.25                    # pause for messages after a turn, as a share of the turn's duration
SEND_WITHIN_S = 1.0                  # an observation that waits longer is not sent


class WorldServer:
    """Serves one world over the ports of a host. Without a launcher, `begin` starts simulated time at once.

    Raises: BadInput if the file has a radio reach, and the world does not know where its robots are.
    """

    def __init__(self, host: Host, settings: WorldFile, world: World) -> None:
        self._world = world
        self._timers, self._net, self._clock = host.timers, host.transport, host.clock
        self._participant = Participant(host, settings, self._on_message, met=self._on_members)
        self._step_ns = ns(world.dt_s)
        self._max_steps = round(MAX_TURN_S / world.dt_s)     # of a turn
        self._sense_ns = ns(1.0 / settings.sense_hz)
        self._frame_hz = settings.frame_hz
        self._frame_every = max(1, round(settings.sense_hz / settings.frame_hz))
        self._started_ns = self._slipped_ns = self._steps = 0
        self._lags = Lateness()
        self._slips = Slips()
        self._running = False
        self._present = dict.fromkeys(world.names)
        self._due: list[tuple[int, int, str]] = []       # a heap: simulated time of a robot's next observation
        self._observations_sent: dict[str, int] = dict.fromkeys(world.names, 0)
        self._seen: dict[str, Pose] = {}                     # of robots that were sent an observation
        self._cannot: dict[str, int] = {}                # acts of another kind of robot, by robot
        self._sensor_faults = SensorFaults(settings.seed, world.sensors)
        self._drawn = drawn_of(settings)
        self._look_ns = 0                                    # simulated time of the next look at the radio reach
        self._reach: ReachNews | None = None
        if settings.radio is not None:
            if world.places() is None:
                raise BadInput("radio", "this world does not know where its robots are", "no reach, or another world")
            self._reach = ReachNews(settings.radio, world.names, self._send_reach)

    def begin(self) -> None:
        """Join the swarm."""
        if self._participant.launcher is None:
            self._start()                                # no one else sends Start
        self._participant.begin()
        self._timers.every(SENSORS_NS, lambda: self._send_sensors(self._present))     # agents may start late
        self._look()

    def _on_members(self, names: Iterable[str]) -> None:
        """Tell members that joined or moved what they need to know; connections may take a moment to be made."""
        names = list(names)
        if self._reach is not None:
            for name in names:
                self._reach.forget(name)
        robots = [name for name in names if name in self._observations_sent]
        self._send_sensors(robots, self._clock.now_ns() + SENSORS_NS)

    def _look(self) -> None:
        """Who is in radio reach of whom."""
        if self._reach is not None and (places := self._world.places()) is not None:
            self._reach.look(places)

    def _send_reach(self, name: str, news: msg.InReach) -> bool:
        return bool(self._net.role(name)) and self._net.send(name, news)

    def _send_sensors(self, names: Iterable[str], retry_until_ns: int = 0) -> None:
        if self._reach is not None:
            self._reach.tell()
        missed = [
            name for name in names if name in self._present and self._net.role(name)
            and not self._net.send(name, msg.Embodied(
                sensors=self._world.sensors(name), frame_hz=self._frame_hz))
        ]
        if missed and self._clock.now_ns() < retry_until_ns:
            self._timers.after(RETRY_NS, lambda: self._send_sensors(missed, retry_until_ns))

    def _on_message(self, message: Received) -> None:
        body, robot = message.body, message.sender
        match body:
            case msg.Acted(act=act) if robot in self._present:
                self._act(robot, act)
            case msg.Reported(report=report) if robot in self._present:
                verdict = self._world.judge(robot, report)
                self._net.send(robot, msg.Judged(report=report, verdict=verdict))
                self._participant.report(msg.Happened(
                    what="judged", detail={**report.values, "robot": robot, "kind": report.kind, "verdict": verdict}))
            case msg.EnergyUsed(compute_j=compute_j, radio_j=radio_j) if robot in self._present:
                self._world.used(robot, message.boot, compute_j, radio_j)
            case msg.Start(for_s=for_s):
                self._start()
                if for_s is not None:                    # also if the launcher cannot say so then
                    self._timers.at(message.at_ns + ns(for_s), self._stop)
            case msg.Drain():
                self._stop()
            case msg.InjectedFaults(sensors=faults):
                self._sensor_faults.set(one for one in faults if one.robot in self._observations_sent)
            case msg.Gone(name=name) if name in self._present:
                del self._present[name]
                self._world.remove(name)
            case msg.Back(name=name) if name in self._observations_sent and name not in self._present:
                self._present[name] = None
                self._world.restore(name)
                self._on_members([name])                 # a new start does not know its sensors
            case _:
                pass                                     # heartbeats, and messages about other members

    def _act(self, robot: str, act: Act) -> None:
        """Let a robot act. What it cannot do is counted; its first time is reported, and at the end how often."""
        try:
            self._world.act(robot, act)
        except CannotAct as error:
            count = self._cannot[robot] = self._cannot.get(robot, 0) + 1
            if count == 1:
                self._report_cannot(robot, count, str(error))

    def _report_cannot(self, robot: str, count: int, why: str = "") -> None:
        self._participant.report(msg.Happened(
            what="cannot_act", detail={"robot": robot, "acts": count} | ({"why": why} if why else {})))

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        self._started_ns = self._clock.now_ns()
        self._timers.lateness.clear()
        count = len(self._world.names)
        self._due = [(self._sense_ns * i // count, i, name)  # spread over the period: renderings should not coincide
                     for i, name in enumerate(self._world.names)]
        self._participant.report(msg.Happened(what="world", detail={"renderer": self._world.renderer}))
        self._report_drawn()
        self._participant.report(self._scene())
        self._turn()
        self._next_news()

    def _report_drawn(self) -> None:
        """What was drawn for this world and its robots, if anything was."""
        for detail in self._drawn:
            self._participant.report(msg.Happened(what="drawn", detail=detail))

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self._slip((self._clock.now_ns() - self._now_ns()) // self._step_ns)     # the end may find it held up
            self._send_news()                            # later news would show a lower real-time factor
            self._participant.report(self._scene())
            for robot, count in self._cannot.items():
                self._report_cannot(robot, count)

    def _turn(self) -> None:
        """Step until simulated time has caught up, send the observations that are due, and schedule the next turn."""
        if not self._running:
            return
        began_ns = self._clock.now_ns()
        lag_ns = began_ns - self._now_ns()
        self._lags.add(lag_ns - self._step_ns)               # a turn is due when its first step is
        behind = lag_ns // self._step_ns
        self._slip(behind)
        for _ in range(min(behind, self._max_steps)):
            self._world.step()
            self._steps += 1
        at_ns = self._steps * self._step_ns
        if at_ns >= self._look_ns:
            self._look_ns = at_ns + REACH_NS
            self._look()
        while self._due[0][0] <= at_ns:
            due_ns, i, name = self._due[0]
            heapq.heapreplace(self._due, (at_ns + self._sense_ns - (at_ns - due_ns) % self._sense_ns, i, name))
            if name in self._present:
                self._send_observation(name, due_ns + self._slipped_ns)
        ended_ns = self._clock.now_ns()
        # without a rest, a world that lags would receive no message
        rest_ns = round(REST_SHARE * (ended_ns - began_ns))
        self._timers.at(max(self._now_ns() + self._step_ns, ended_ns + rest_ns), self._turn)

    def _slip(self, behind: int) -> None:
        """Give up the steps that one turn cannot catch up with: simulated time stays behind by them."""
        lost = behind - self._max_steps
        if lost > 0:
            self._slips.add(seconds(self._now_ns() - self._started_ns), lost * seconds(self._step_ns))
            self._slipped_ns += lost * self._step_ns

    def _now_ns(self) -> int:
        """The clock reading at which simulated time would be on time."""
        return self._started_ns + self._slipped_ns + self._steps * self._step_ns

    def _send_observation(self, name: str, due_ns: int) -> None:
        """Send a robot its observation, which fell due at `due_ns` after the start; its age is its sensors' latency."""
        with_frame = self._observations_sent[name] % self._frame_every == 0
        self._observations_sent[name] += 1
        seen = self._world.observe(name, frame=with_frame)
        self._seen[name] = seen.pose
        seen = self._sensor_faults.of(name, seen, self._world.time_s)
        tensors: list[NDArray[Any]] = [seen.scan] if seen.frame is None else [seen.scan, seen.frame]
        sensed = msg.Sensed(
            sequence=seen.sequence, at_s=seconds(due_ns), age_s=seen.age_s, pose=seen.pose,
            v_mps=seen.v_mps, w_radps=seen.w_radps, bumped=seen.bumped, frame=seen.frame is not None,
            readings=seen.readings, left_mps=seen.left_mps, up_mps=seen.up_mps, capture=seen.capture or msgspec.UNSET,
        )
        self._net.send(name, sensed, tensors, SEND_WITHIN_S)   # an agent that does not read misses it

    def _next_news(self) -> None:
        if self._running:
            self._send_news()
            self._timers.after(NEWS_NS, self._next_news)

    def _send_news(self) -> None:
        elapsed_s = max(seconds(self._clock.now_ns() - self._started_ns), 1e-9)
        late = self._timers.lateness
        if self._participant.report(msg.WorldNews(
            time_s=self._world.time_s, steps=self._steps, real_time_factor=min(1.0, self._world.time_s / elapsed_s),
            lag_ms_p99=self._lags.quantile_ms(0.99),
            mission=self._world.mission(), poses=self._poses(), batteries=self._world.batteries(),
            elapsed_s=seconds(self._now_ns() - self._started_ns), slips=self._slips.news(),
            out_of_reach=self._reach.share_apart if self._reach is not None else None,
            loop_late_ms_p99=late.quantile_ms(0.99), loop_late_ms_max=late.longest_ns / 1e6,
        )):
            self._slips.told()

    def _poses(self) -> dict[str, Pose]:
        """Where the robots are that were sent an observation; where the world does not know, where they think to be."""
        true = self._world.poses()
        return {name: true.get(name, seen) for name, seen in self._seen.items()}

    def _scene(self) -> msg.Scene:
        return msg.Scene(json=msgspec.json.encode(self._world.scene()))


def drawn_of(settings: WorldFile) -> list[dict[str, str | float | int]]:
    """Details of events: what was drawn for the place, and for each robot; none if nothing was."""
    place, details = settings.surroundings, list[dict[str, str | float | int]]()
    if place != AS_BUILT:
        x, y, z = place.light or (0.0, 0.0, 0.0)
        details.append({"brightness": place.brightness, "colour": place.colour, "texture": place.texture,
                        "seed": place.seed}
                       | ({} if place.floor_friction is None else {"floor_friction": place.floor_friction})
                       | ({} if place.light is None else {"lamp_x": x, "lamp_y": y, "lamp_z": z}))
    details += [{"robot": robot.name, "mass": robot.mass, "noise": robot.noise} for robot in settings.robots
                if (robot.mass, robot.noise) != (1.0, 1.0)]
    return details
