"""A scenario as a multi-agent learning environment: PettingZoo's ParallelEnv with Gymnasium's spaces.

The only file that imports pettingzoo and gymnasium.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from msgspec.structs import astuple
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from sim_worlds import scenarios
from sim_worlds.robots import KINDS, PHYSICS, FlyingKind, RobotKind, check_fleet
from sim_worlds.world_interface import World
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.world import Act, Drive, Fly, Report
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

BOX_VALUES = 5                       # of a true box: label + 1 (0: no box in this row), x0, y0, x1, y1
MOST_BOXES = 256
FLY_VALUES = 4                       # of an action of a robot that flies
MOST_PERIOD_S, MOST_DURATION_S = 10.0, 86_400.0
MOST_ROBOTS = 1000
SEEDS = 2**31                        # of worlds that `reset` draws

Reward = Callable[[str, Mission, Mission], float]
"""From an agent's name and the missions after the step before and after this one."""
ObservationOf = dict[str, NDArray[Any]]


def gain(agent: str, before: Mission, after: Mission) -> float:
    """The gain of the headline measure in one step, the same for each agent."""
    return headline(after) - headline(before)


def headline(mission: Mission) -> float:
    """The present value of a mission's most important measure."""
    return next(float(m.value) for m in mission.measures if m.name == mission.headline)


class WorldEnv(ParallelEnv[str, ObservationOf, NDArray[np.float32]]):
    """All robots of a scenario act at once, every `period_s` of simulated time, until `duration_s`.

    robots: so many rovers, or a fleet. physics: of the rovers. frames: observations have the camera's images, which
    need PyBullet. boxes: observations have so many rows of true boxes. reward: of an agent for a step; default `gain`.

    An observation is a dict: `pose` [3] (x and y in m, heading in rad), `speeds` [2] (m/s, rad/s), `bumped` [1] (0 or
    1), `scan` [beams] in m if the robot has a lidar; optional are `frame` uint8 [height, width, 3] and `boxes`
    [boxes, 5]: label + 1 (0: no box in this row), x0, y0, x1, y1 in pixels. An action is [v, w] in -1..1, in units of
    the kind's top speeds; values outside are clipped. A robot that flies has a `pose` [6] with z in m, roll and pitch,
    `speeds` [4] with those to the left and up in m/s, and an action [ahead, left, up, turn].
    Raises: ValueError for options that make no world.
    """

    def __init__(
        self, name: str, *, seed: int = 0, robots: int | Sequence[RobotSpec] = 2,
        physics: Literal["dynamic", "kinematic"] = "kinematic", render_mode: str | None = None,
        duration_s: float = 100.0, period_s: float = 0.1, frames: bool = False, boxes: int = 0, reward: Reward = gain,
    ) -> None:
        for option, value, least, most in (("duration_s", duration_s, 0.0, MOST_DURATION_S),
                                           ("period_s", period_s, 0.0, MOST_PERIOD_S)):
            if not least < value <= most:
                raise BadInput(option, str(value), f"above {least:g}, at most {most:g}")
        if render_mode not in (None, "rgb_array"):
            raise BadInput("render_mode", repr(render_mode), "None or 'rgb_array'")
        if not 0 <= boxes <= MOST_BOXES:
            raise BadInput("boxes", str(boxes), f"0 to {MOST_BOXES}")
        if physics not in PHYSICS:
            raise BadInput("physics", repr(physics), " or ".join(PHYSICS))
        if isinstance(robots, int) and not 1 <= robots <= MOST_ROBOTS:
            raise BadInput("robots", str(robots), f"1 to {MOST_ROBOTS}")
        rovers = range(robots) if isinstance(robots, int) else ()
        self._fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics=physics) for i in rovers]
        self._fleet += [] if isinstance(robots, int) else robots
        check_fleet(self._fleet)
        self._scenario, self._frames, self._boxes, self._reward = scenarios.load(name), frames, boxes, reward
        self.render_mode, self._duration_s, self._first_seed = render_mode, duration_s, _checked(seed)
        self._draw: np.random.Generator | None = None        # of the seeds of later worlds
        self._world: World = self.world_of(self._first_seed)         # its spaces are those of all
        self._steps = max(1, round(period_s / self._world.dt_s))     # of the world in one of ours
        self._period_s = self._steps * self._world.dt_s
        self.metadata: dict[str, Any] = {
            "name": name, "render_modes": ["rgb_array"], "render_fps": 1 / self._period_s, "is_parallelizable": True}
        self.possible_agents = [robot.name for robot in self._fleet]
        self.agents: list[str] = []
        self._top = {robot.name: _top(KINDS[robot.kind]) for robot in self._fleet}
        self._spaces = {name: self._space(name) for name in self.possible_agents}
        self.observation_spaces = dict[str, Any](self._spaces)
        self.action_spaces = {name: spaces.Box(-1.0, 1.0, (len(top),), np.float32) for name, top in self._top.items()}
        self._before = self._world.mission()

    @property
    def world(self) -> World:
        """The world of this episode; `reset` makes another one."""
        return self._world

    def world_of(self, seed: int) -> World:
        """Another world of this scenario with this fleet, at its start. The caller closes it."""
        return self._scenario.build(self._fleet, seed, render=self._frames)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The space of an agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The space of an agent's actions."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, ObservationOf], dict[str, dict[str, Any]]]:
        """Begin an episode in the world of `seed`; None: of the constructor's at first, later of one drawn from it.

        Raises: ValueError if the fleet does not fit into the world of that seed.
        """
        if seed is not None or self._draw is None:
            chosen = self._first_seed if seed is None else _checked(seed)
            self._draw = np.random.default_rng([chosen, len(self._fleet)])
        else:
            chosen = int(self._draw.integers(SEEDS))
        self._world.close()
        self._world = self.world_of(chosen)
        self.agents, self._before = list(self.possible_agents), self._world.mission()
        return self._observed(), {name: {"seed": chosen} for name in self.agents}

    def step(self, actions: Mapping[str, NDArray[np.float32]]) -> tuple[
        dict[str, ObservationOf], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One period. An agent without an action stops; `infos` have the measures of the mission.

        Raises: ValueError for an action of an unknown agent, or one that is not so many finite numbers.
        """
        acts = {name: self._act(name, action) for name, action in actions.items()}
        for name in self.agents:
            self._world.act(name, acts.get(name) or self._act(name, np.zeros(len(self._top[name]))))
        for _ in range(self._steps if self.agents else 0):
            self._world.step()
        names, ended = self.agents, self._world.time_s >= self._duration_s - self._world.dt_s / 2
        observed, after = self._observed(), self._world.mission()
        rewards = {name: float(self._reward(name, self._before, after)) for name in names}
        measures = {measure.name: measure.value for measure in after.measures}
        self._before = after
        if ended:
            self.agents = []
        return (observed, rewards, dict.fromkeys(names, False), dict.fromkeys(names, ended),
                {name: dict(measures) for name in names})

    def report(self, agent: str, report: Report) -> str:
        """A robot's statement to the world, whose verdict this returns. It counts for the rewards of the next step.

        Raises: ValueError if the episode has no such agent now.
        """
        if agent not in self.agents:
            raise BadInput("report", f"no agent {agent!r} now", self._now())
        return self._world.judge(agent, report)

    def render(self) -> NDArray[np.uint8] | None:
        """The map as uint8 [height, width, 3], as `swarm worlds render` draws it; None without a render mode.

        Raises: BadInput if matplotlib is not installed.
        """
        if self.render_mode is None:
            return None
        try:
            from swarm.telemetry.report.map import scene_pixels
        except ModuleNotFoundError as error:
            raise BadInput(
                "render", f"{error.name} is not installed", "pip install 'swarm-edge-runtime[sim]'") from None
        return scene_pixels(self._world.scene())

    def close(self) -> None:
        """Free the world's resources."""
        self._world.close()

    def _space(self, name: str) -> spaces.Dict:
        suite, unbounded = self._world.sensors(name), {"low": -np.inf, "high": np.inf, "dtype": np.float32}
        parts: dict[str, spaces.Space[Any]] = {
            "pose": spaces.Box(shape=(6 if self._flies(name) else 3,), **unbounded),
            "speeds": spaces.Box(shape=(4 if self._flies(name) else 2,), **unbounded),
            "bumped": spaces.Box(0.0, 1.0, (1,), np.float32)}
        if suite.lidar is not None:
            parts["scan"] = spaces.Box(0.0, suite.lidar.range_m, (suite.lidar.beams,), np.float32)
        if (self._frames or self._boxes) and suite.camera is None:
            raise BadInput("frames and boxes", f"{name} has no camera", "leave them out")
        if self._frames and suite.camera is not None:
            parts["frame"] = spaces.Box(0, 255, (suite.camera.height_px, suite.camera.width_px, 3), np.uint8)
        if self._boxes:
            parts["boxes"] = spaces.Box(shape=(self._boxes, BOX_VALUES), **unbounded)
        return spaces.Dict(parts)

    def _observed(self) -> dict[str, ObservationOf]:
        return {name: self._observation(name) for name in self.agents}

    def _observation(self, name: str) -> ObservationOf:
        seen = self._world.observe(name, frame=self._frames)
        parts: ObservationOf = {
            "pose": np.array(astuple(seen.pose)[:6 if self._flies(name) else 3], np.float32),
            "speeds": np.array([seen.v_mps, seen.w_radps, seen.left_mps, seen.up_mps][:4 if self._flies(name) else 2],
                               np.float32), "bumped": np.array([seen.bumped], np.float32)}
        space = self._spaces[name]
        if "scan" in space.spaces:
            lidar = space["scan"]
            assert isinstance(lidar, spaces.Box)
            parts["scan"] = np.clip(seen.scan, lidar.low, lidar.high).astype(np.float32)  # noise exceeds it
        if self._frames:
            assert seen.frame is not None
            parts["frame"] = seen.frame
        if self._boxes:
            rows = np.zeros((self._boxes, BOX_VALUES), np.float32)
            tallest = sorted(self._world.view(name).boxes(), key=lambda box: box.y0_px - box.y1_px)[:self._boxes]
            for row, box in zip(rows, tallest, strict=False):
                row[:] = box.label + 1, box.x0_px, box.y0_px, box.x1_px, box.y1_px
            parts["boxes"] = rows
        return parts

    def _now(self) -> str:
        return f"agents now: {', '.join(self.agents) or 'none, call reset'}"

    def _act(self, name: str, action: Any) -> Act:
        if name not in self.agents:
            raise BadInput("step", f"an action of {name!r}", self._now())
        given = np.asarray(action, np.float64)
        top = self._top[name]
        if given.shape != (len(top),) or not np.isfinite(given).all():
            raise BadInput("step", f"the action of {name} is {given.tolist()}",
                           f"{'four' if self._flies(name) else 'two'} finite numbers, in -1..1")
        speeds, ttl_s = (np.clip(given, -1.0, 1.0) * top).tolist(), 2 * self._period_s
        if self._flies(name):
            vx, vy, vz, yaw = speeds
            return Fly(vx_mps=vx, vy_mps=vy, vz_mps=vz, yaw_radps=yaw, ttl_s=ttl_s)
        v, w = speeds
        return Drive(v_mps=v, w_radps=w, ttl_s=ttl_s)

    def _flies(self, name: str) -> bool:
        return len(self._top[name]) == FLY_VALUES


def _top(kind: RobotKind) -> tuple[float, ...]:
    """The top speeds of a kind of robot, in the order of its actions."""
    if isinstance(kind, FlyingKind):
        return kind.v_max_mps, kind.v_max_mps, kind.up_max_mps, kind.w_max_radps
    return kind.v_max_mps, kind.w_max_radps


def _checked(seed: int) -> int:
    if isinstance(seed, bool) or not 0 <= seed < math.inf:
        raise BadInput("seed", str(seed), "0 or more")
    return int(seed)
