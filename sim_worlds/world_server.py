"""The world as a member of the swarm: it steps by the clock, senses robots at their rates, and takes acts and claims.

Observations are pushed, and the newest wins: a slow receiver loses older ones. When the host cannot keep up, simulated
time slows down instead of skipping steps, and the lag is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from sim_worlds.lag_histogram import LagHistogram
from sim_worlds.world_interface import World
from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import WorldFile
from swarm.core.units import ns, seconds
from swarm.membership.participant import Participant

MOST_STEPS = 24                      # at most a tenth of a second is caught up in one turn; beyond that, time slows
NEWS_NS = ns(0.5)
STATE_NS = ns(1.0)                   # a robot is told its sensors when it joins, and so often again
RETRY_NS = ns(0.02)
REST = 0.25                          # share of a turn that is left for messages before the next turn
FRESH_S = 1.0                        # an observation that waits longer is not sent


class WorldServer:
    """One world, over the ports of a host. `begin` starts it; without a launcher, time starts at once."""

    def __init__(self, host: Host, settings: WorldFile, world: World) -> None:
        self._world = world
        self._timers, self._net, self._clock = host.timers, host.transport, host.clock
        self._participant = Participant(host, settings, self._received, met=self._met)
        self._stating = False
        self._unstated: set[str] = set()             # robots that are still to be told what they sense with
        self._step_ns = ns(world.dt_s)
        self._sense_ns = ns(1.0 / settings.sense_hz)
        self._frame_every = max(1, round(settings.sense_hz / settings.frame_hz))
        self._started_ns = self._slipped_ns = self._steps = 0
        self._lags = LagHistogram()
        self._running = False
        self._present = dict.fromkeys(world.names)
        self._due: dict[str, int] = dict.fromkeys(world.names, 0)    # robot -> simulated time of its next observation
        self._sensed: dict[str, int] = dict.fromkeys(world.names, 0)
        self._poses: dict[str, Pose] = {}

    def begin(self) -> None:
        """Take part in the swarm."""
        if self._participant.launcher is None:
            self._start()                                # nobody sends Start
        self._participant.begin()
        self._timers.every(STATE_NS, lambda: self._met(self._world.names))

    def _met(self, names: Sequence[str]) -> None:
        """Members that joined or moved: robots are told what they sense with; now and then again, for late starts."""
        self._unstated.update(name for name in names if name in self._due)
        self._state_sensors()

    def _state_sensors(self) -> None:
        for name in sorted(self._unstated):
            if name not in self._present or not self._net.role(name) or self._net.send(
                    name, msg.Embodied(sensors=self._world.sensors(name))):
                self._unstated.discard(name)
        if self._unstated and not self._stating:
            self._stating = True
            self._timers.after(RETRY_NS, self._state_again)

    def _state_again(self) -> None:
        self._stating = False
        self._state_sensors()

    def _received(self, message: Received) -> None:
        body, robot = message.body, message.sender
        match body:
            case msg.Acted(act=act) if robot in self._present:
                self._world.act(robot, act)
            case msg.Reported(report=report) if robot in self._present:
                verdict = self._world.judge(robot, report)
                self._net.send(robot, msg.Judged(report=report, verdict=verdict))
                self._participant.tell_launcher(msg.Happened(
                    what="judged", detail={**report.values, "robot": robot, "kind": report.kind, "verdict": verdict}))
            case msg.Start():
                self._start()
            case msg.Drain():
                self._stop()
            case msg.Gone(name=name) if name in self._present:
                del self._present[name]
                self._world.remove(name)
            case msg.Back(name=name) if name in self._due and name not in self._present:
                self._present[name] = None
                self._world.restore(name)
            case _:
                pass                                     # heartbeats, and messages that concern others

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        self._started_ns = self._clock.now_ns()
        count = len(self._world.names)
        for i, name in enumerate(self._world.names):     # spread over the period: cameras take turns
            self._due[name] = self._sense_ns * i // count
        self._participant.tell_launcher(msg.Happened(what="world", detail={"renderer": self._world.renderer}))
        self._participant.tell_launcher(self._scene())
        self._turn()
        self._next_news()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self._tell_news()                            # the last ones: what they say of time is true now
            self._participant.tell_launcher(self._scene())

    def _turn(self) -> None:
        """Step until simulated time has caught up, sense the robots that are due, then wait for the next step."""
        if not self._running:
            return
        began_ns = self._clock.now_ns()
        lag_ns = began_ns - self._now_ns()
        self._lags.add(lag_ns / 1e6)
        behind = lag_ns // self._step_ns
        if behind > MOST_STEPS:
            self._slipped_ns += (behind - MOST_STEPS) * self._step_ns
        for _ in range(min(behind, MOST_STEPS)):
            self._world.step()
            self._steps += 1
        at_ns = self._steps * self._step_ns
        for name in self._present:
            if self._due[name] <= at_ns:
                self._sense(name)
                self._due[name] += self._sense_ns * max(1, -(-(at_ns - self._due[name]) // self._sense_ns))
        ended_ns = self._clock.now_ns()
        rest_ns = round(REST * (ended_ns - began_ns))    # without rest, a world that lags would receive no message
        self._timers.at(max(self._now_ns() + self._step_ns, ended_ns + rest_ns), self._turn)

    def _now_ns(self) -> int:
        """The reading of our clock that simulated time corresponds to."""
        return self._started_ns + self._slipped_ns + self._steps * self._step_ns

    def _sense(self, name: str) -> None:
        """Send a robot its observation. Its age: the sensors' own latency, and the time that rendering took here."""
        read_ns = self._clock.now_ns()
        with_frame = self._sensed[name] % self._frame_every == 0
        self._sensed[name] += 1
        seen = self._world.observe(name, frame=with_frame)
        self._poses[name] = seen.pose
        tensors: list[NDArray[Any]] = [seen.scan] if seen.frame is None else [seen.scan, seen.frame]
        sensed = msg.Sensed(
            sequence=seen.sequence, age_s=seen.age_s + seconds(self._clock.now_ns() - read_ns), pose=seen.pose,
            v_mps=seen.v_mps, w_radps=seen.w_radps, bumped=seen.bumped, frame=seen.frame is not None,
        )
        self._net.send(name, sensed, tensors, FRESH_S)   # an agent that does not read misses it: newest wins

    def _next_news(self) -> None:
        if self._running:
            self._tell_news()
            self._timers.after(NEWS_NS, self._next_news)

    def _tell_news(self) -> None:
        elapsed_s = max(seconds(self._clock.now_ns() - self._started_ns), 1e-9)
        self._participant.tell_launcher(msg.WorldNews(
            time_s=self._world.time_s, steps=self._steps, real_time_factor=min(1.0, self._world.time_s / elapsed_s),
            lag_ms_p99=self._lags.quantile_ms(0.99),
            mission=self._world.mission(), poses=dict(self._poses),
        ))

    def _scene(self) -> msg.Scene:
        return msg.Scene(json=msgspec.json.encode(self._world.scene()))
