"""A scenario as a multi-agent learning environment: PettingZoo's ParallelEnv with Gymnasium's spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from sim_worlds import scenarios
from sim_worlds.learning.agent_view import AgentView, ObservationOf
from sim_worlds.learning.options import Reward, checked, checked_seed
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.world_interface import World
from swarm.core.protocol.world import Act, Report
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

SEEDS = 2**31                        # of worlds that `reset` draws


class WorldEnv(ParallelEnv[str, ObservationOf, NDArray[np.float32]]):
    """All robots of a scenario act at once, every `period_s` of simulated time, until `duration_s`.

    robots: so many of the scenario's kind of robot, or a fleet. physics: of the former. frames: observations have the
    camera's images, which need PyBullet. boxes: observations have so many rows of true boxes. reports: the environment
    makes the reports that the scenario counts (`World.due_reports`); a robot whose battery is empty makes none. reward:
    of an agent for a step, or the measure whose gain it is; None: that of the headline.

    An observation is a dict: `pose` [3] (x and y in m, heading in rad), `speeds` [2] (m/s, rad/s), `bumped` [1] (0 or
    1), `goal` [3] (1, m ahead, m to the left; zeros without `World.goal`), `scan` [beams] in m if the robot has a
    lidar; optional are `frame` uint8 [height, width, 3] and `boxes` [boxes, 5]: label + 1 (0: no box in this row), x0,
    y0, x1, y1 in pixels. An action is [v, w] in -1..1, in units of the kind's top speeds; values outside are clipped.
    A robot that flies has a `pose` [6] with z in m, roll and pitch, `speeds` [4] with those to the left and up in m/s,
    and an action [ahead, left, up, turn].
    Raises: BadInput for options that make no world.
    """

    def __init__(
        self, name: str, *, seed: int = 0, robots: int | Sequence[RobotSpec] = 2,
        physics: Literal["dynamic", "kinematic"] = "kinematic", render_mode: str | None = None,
        duration_s: float = 100.0, period_s: float = 0.1, frames: bool = False, boxes: int = 0, reports: bool = True,
        reward: Reward | str | None = None,
    ) -> None:
        given = checked(name, seed=seed, robots=robots, physics=physics, render_mode=render_mode, duration_s=duration_s,
                        period_s=period_s, frames=frames, boxes=boxes, reports=reports, reward=reward)
        self._fleet, self._scenario, self._reward = given.fleet, given.name, given.reward
        self._frames, self._reports = given.frames, given.reports
        self.render_mode, self._duration_s, self._first_seed = given.render_mode, given.duration_s, given.seed
        self._draw: np.random.Generator | None = None        # of the seeds of later worlds
        self._world: World = self.world_of(given.seed)       # its spaces are those of all
        self._steps = max(1, round(given.period_s / self._world.dt_s))       # of the world in one of ours
        self._period_s = self._steps * self._world.dt_s
        self.metadata: dict[str, Any] = {
            "name": name, "render_modes": ["rgb_array"], "render_fps": 1 / self._period_s, "is_parallelizable": True}
        self.possible_agents = [robot.name for robot in self._fleet]
        self.agents: list[str] = []
        self._views = {robot.name: AgentView(robot.name, kind_for(robot), self._world, frames=given.frames,
                                             boxes=given.boxes) for robot in self._fleet}
        self.observation_spaces = dict[str, Any]({name: view.observations for name, view in self._views.items()})
        self.action_spaces = {name: view.actions for name, view in self._views.items()}
        self._before = self._world.mission()

    @property
    def world(self) -> World:
        """The world of this episode; `reset` makes another one."""
        return self._world

    def world_of(self, seed: int) -> World:
        """Another world of this scenario with this fleet, at its start. The caller closes it."""
        return scenarios.build(self._scenario, self._fleet, seed, render=self._frames)

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
            chosen = self._first_seed if seed is None else checked_seed(seed)
            self._draw = np.random.default_rng([chosen, len(self._fleet)])
        else:
            chosen = int(self._draw.integers(SEEDS))
        self._world.close()
        self._world = self.world_of(chosen)
        self.agents, self._before = list(self.possible_agents), self._world.mission()
        return self._observed(), {name: {"seed": chosen} for name in self.agents}

    def step(self, actions: Mapping[str, NDArray[np.float32]]) -> tuple[
        dict[str, ObservationOf], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One period, then the reports that are due. An agent without an action stops; `infos` have the measures.

        Raises: BadInput for an action of an unknown agent, or one that is not so many finite numbers.
        """
        if not isinstance(actions, Mapping):
            raise BadInput("step", f"{actions!r} is no action", "a dict: agent -> its action")
        for name in actions:
            if name not in self.agents:
                raise BadInput("step", f"an action of {name!r}", self._now())
        acts = {name: self.act_of(name, action) for name, action in actions.items()}
        for name in self.agents:
            self._world.act(name, acts.get(name) or self._views[name].stop(2 * self._period_s))
        for _ in range(self._steps if self.agents else 0):
            self._world.step()
        empty = {name for name, battery in self._world.batteries().items() if battery.empty}
        for name in self.agents if self._reports else ():
            for report in self._world.due_reports(name) if name not in empty else ():
                self._world.judge(name, report)
        names, ended = self.agents, self._world.time_s >= self._duration_s - self._world.dt_s / 2
        observed, after = self._observed(), self._world.mission()
        rewards = {name: float(self._reward(name, self._before, after)) for name in names}
        measures = {measure.name: measure.value for measure in after.measures}
        self._before = after
        if ended:
            self.agents = []
        return (observed, rewards, dict.fromkeys(names, False), dict.fromkeys(names, ended),
                {name: dict(measures) for name in names})

    def act_of(self, agent: str, action: NDArray[np.float32]) -> Act:
        """An action as a command to the world. Raises: BadInput if it is not so many finite numbers."""
        return self._views[agent].act(action, 2 * self._period_s)

    def report(self, agent: str, report: Report) -> str:
        """A robot's statement to the world, whose verdict this returns. It counts for the rewards of the next step.

        Raises: BadInput if the episode has no such agent now.
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

    def _observed(self) -> dict[str, ObservationOf]:
        return {name: self._views[name].observed(self._world) for name in self.agents}

    def _now(self) -> str:
        return f"agents now: {', '.join(self.agents) or 'none, call reset'}"
