"""The world's process: simulated time follows real time, robots are sensed at their rates, acts and claims are taken.

Real time is pushed: whoever is slow loses the older observation, never the newest. When the host cannot keep up, time
is slowed rather than steps skipped, and the lag is on record.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim_worlds import scenarios
from sim_worlds.robots import RobotSpec
from sim_worlds.world import World
from swarm.core.clock import ns, seconds
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Observation, Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import WorldFile
from swarm.membership.participant import Participant
from swarm.net.process import Process, log_to_stderr

log = logging.getLogger(__name__)

LAG_BIN_MS = 0.5
LAG_BINS = 4000                      # up to 2 s; a longer lag is told as the longest one seen
MOST_STEPS = 24                      # a tenth of a second is caught up in one turn; beyond that, time slows
NEWS_NS = ns(0.5)
REST = 0.25                          # of a turn, at least, for messages before the next one
FRESH_S = 1.0                        # an older observation that has not left yet is not sent any more


class Lags:
    """How far simulated time was behind, over a whole run: a histogram, so that a long run costs what a short one does.

    Quantiles are upper edges of bins, so they err by at most a bin, and never promise too much.
    """

    def __init__(self) -> None:
        self._bins = np.zeros(LAG_BINS + 1, np.int64)    # the last one for all that is longer
        self._count = 0
        self._longest_ms = 0.0

    def add(self, lag_ms: float) -> None:
        """One turn's lag; a negative one counts as none."""
        self._bins[min(max(math.ceil(lag_ms / LAG_BIN_MS) - 1, 0), LAG_BINS)] += 1
        self._count += 1
        self._longest_ms = max(self._longest_ms, lag_ms)

    def quantile_ms(self, q: float) -> float:
        """The least edge that a share `q` of all lags does not exceed; 0 before the first."""
        if not self._count:
            return 0.0
        at = int(np.searchsorted(np.cumsum(self._bins), math.ceil(q * self._count)))
        return self._longest_ms if at >= LAG_BINS else (at + 1) * LAG_BIN_MS


class Service:
    """One world, stepped by the clock."""

    def __init__(self, settings: WorldFile, world: World) -> None:
        self._world = world
        self._alone = settings.launcher is None
        self.process = Process(settings, "world")
        self.participant = Participant(self.process.host, settings, self._received)
        self._loop, self._net, self._clock = self.process.loop, self.process.net, self.process.clock
        self._step_ns = ns(world.dt_s)
        self._sense_ns = ns(1.0 / settings.sense_hz)
        self._frame_every = max(1, round(settings.sense_hz / settings.frame_hz))
        self._started_ns = self._slipped_ns = self._steps = 0
        self._lags = Lags()
        self._running = False
        self._present = dict.fromkeys(world.names)
        self._due: dict[str, int] = dict.fromkeys(world.names, 0)    # robot -> simulated time of its next observation
        self._sensed: dict[str, int] = dict.fromkeys(world.names, 0)
        self._poses: dict[str, Pose] = {}

    def run(self) -> None:
        if self._alone:
            self._start()                                # nobody sends Start
        self.process.run(self.participant.begin)

    def _received(self, message: Received) -> None:
        body, robot = message.body, message.sender
        match body:
            case msg.Acted(act=act) if robot in self._present:
                self._world.act(robot, act)
            case msg.Claimed(claim=claim) if robot in self._present:
                verdict = self._world.claim(robot, claim)
                self._net.send(robot, msg.Judged(claim=claim, verdict=verdict))
                self.participant.tell_launcher(msg.Happened(
                    what=f"claim_{verdict}",
                    detail={"robot": robot, "label": claim.label, "x_m": claim.x_m, "y_m": claim.y_m},
                ))
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
                pass                                     # heartbeats, and news for others

    def _start(self) -> None:
        if self._running:
            return
        self._running = True
        self._started_ns = self._clock.now_ns()
        count = len(self._world.names)
        for i, name in enumerate(self._world.names):     # spread over the period: cameras take turns
            self._due[name] = self._sense_ns * i // count
        self.participant.tell_launcher(msg.Happened(what="world", detail={"renderer": self._world.renderer}))
        self.participant.tell_launcher(self._scene())
        self._turn()
        self._tell_news()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self._tell_news()
            self.participant.tell_launcher(self._scene())

    def _turn(self) -> None:
        """Step until simulated time has caught up, then sense whoever is due, then wait for the next step."""
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
        rest_ns = round(REST * (ended_ns - began_ns))    # without it, a world that lags would hear nobody any more
        self._loop.at(max(self._now_ns() + self._step_ns, ended_ns + rest_ns), self._turn)

    def _now_ns(self) -> int:
        """Where on our clock simulated time stands."""
        return self._started_ns + self._slipped_ns + self._steps * self._step_ns

    def _sense(self, name: str) -> None:
        taken_ns = self._clock.now_ns()
        with_frame = self._sensed[name] % self._frame_every == 0
        self._sensed[name] += 1
        seen: Observation = self._world.observe(name, frame=with_frame)
        self._poses[name] = seen.pose
        tensors: list[NDArray[Any]] = [seen.scan] if seen.frame is None else [seen.scan, seen.frame]
        sensed = msg.Sensed(
            sequence=seen.sequence, age_s=seconds(self._clock.now_ns() - taken_ns), pose=seen.pose,
            v_mps=seen.v_mps, w_radps=seen.w_radps, bumped=seen.bumped, frame=seen.frame is not None,
        )
        self._net.send(name, sensed, tensors, FRESH_S)   # an agent that does not read misses it: newest wins

    def _tell_news(self) -> None:
        if self._running:
            self._loop.after(NEWS_NS, self._tell_news)
        elapsed_s = max(seconds(self._clock.now_ns() - self._started_ns), 1e-9)
        self.participant.tell_launcher(msg.WorldNews(
            time_s=self._world.time_s, steps=self._steps, real_time_factor=min(1.0, self._world.time_s / elapsed_s),
            lag_ms_p99=self._lags.quantile_ms(0.99),
            mission=self._world.mission(), poses=dict(self._poses),
        ))

    def _scene(self) -> msg.Scene:
        return msg.Scene(json=msgspec.json.encode(self._world.scene()))


def main(settings: WorldFile, where: str) -> int:
    """Run a world to its end. where: its file. Raises: BadInput before it starts."""
    log_to_stderr(settings.name)
    fleet = [RobotSpec(name=r.name, kind=r.kind, physics=r.physics, spawn=r.spawn) for r in settings.robots]
    try:
        world = scenarios.load(settings.scenario).build(fleet, settings.seed)
    except ValueError as error:                          # robots that cannot stand there, or none at all
        raise BadInput(f"{where}: robots", str(error), "other robots, places or another seed") from None
    try:
        Service(settings, world).run()
    finally:
        world.close()
    return 0
