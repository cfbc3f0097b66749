"""The options of a learning environment, checked: whatever is wrong is told in one line, before a world is made."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from msgspec import Struct

from sim_worlds import scenarios
from sim_worlds.robots import check_fleet
from swarm.core.protocol.bounds import Robots, RunSeconds, Seed
from swarm.core.protocol.scene import Mission
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.rules import known
from swarm.core.settings.validation import check

MOST_PERIOD_S = 10.0
MOST_BOXES = 256

Reward = Callable[[str, Mission, Mission], float]
"""From an agent's name and the missions after the step before and after this one."""


class Options(Struct, frozen=True, kw_only=True):
    """See `sim_worlds.learning.world_env.WorldEnv`."""

    name: str
    seed: int
    fleet: list[RobotSpec]
    render_mode: str | None
    duration_s: float
    period_s: float
    frames: bool
    boxes: int
    reports: bool
    reward: Reward


def checked(name: object, *, seed: object, robots: object, physics: object, render_mode: object, duration_s: object,
            period_s: object, frames: object, boxes: object, reports: object, reward: object) -> Options:
    """Raises: BadInput for values of the wrong type, out of their range, or that make no fleet."""
    known(check(name, str, "name"), scenarios.available(), "name", "scenario")
    period = check(_number(period_s), RunSeconds, "period_s")
    if period > MOST_PERIOD_S:
        raise BadInput("period_s", f"{period:g} s", f"at most {MOST_PERIOD_S:g}")
    count = check(_whole(boxes), int, "boxes")
    if not 0 <= count <= MOST_BOXES:
        raise BadInput("boxes", str(count), f"0 to {MOST_BOXES}")
    return Options(
        name=str(name), seed=checked_seed(seed), fleet=_fleet(str(name), robots, physics),
        render_mode=check(render_mode, Literal["rgb_array"] | None, "render_mode"),
        duration_s=check(_number(duration_s), RunSeconds, "duration_s"), period_s=period,
        frames=check(frames, bool, "frames"), boxes=count, reports=check(reports, bool, "reports"),
        reward=_reward(str(name), reward))


def checked_seed(seed: object) -> int:
    """Raises: BadInput if it is no whole number from 0 to 2^63 - 1."""
    return check(_whole(seed), Seed, "seed")


def gain_of(measure: str) -> Reward:
    """The gain of a measure in one step, the same for each agent."""
    return lambda agent, before, after: value_of(after, measure) - value_of(before, measure)


def value_of(mission: Mission, measure: str) -> float:
    """The present value of a measure."""
    return next(float(m.value) for m in mission.measures if m.name == measure)


def _reward(name: str, reward: Any) -> Reward:
    if callable(reward):
        return cast(Reward, reward)
    scenario = scenarios.load(name)
    measure = scenario.HEADLINE if reward is None else reward
    if not isinstance(measure, str):
        raise BadInput("reward", f"{reward!r} is no reward",
                       "the name of a measure, or a function of an agent's name and two missions")
    known(measure, scenario.MEASURES, "reward", f"measure of {name}")
    return gain_of(measure)


def _fleet(name: str, robots: object, physics: object) -> list[RobotSpec]:
    kind = check(physics, Literal["dynamic", "kinematic"], "physics")
    if not isinstance(robots, Sequence) or isinstance(robots, str):
        return scenarios.fleet_for(name, check(_whole(robots), Robots, "robots"), kind)
    for i, robot in enumerate(robots):
        if not isinstance(robot, RobotSpec):
            raise BadInput(f"robots[{i}]", f"{robot!r} is no robot", "a RobotSpec; or a number in place of the list")
    fleet = list[RobotSpec](robots)
    try:
        check_fleet(fleet)
    except ValueError as error:
        raise BadInput("robots", str(error), "another fleet") from None
    return fleet


def _whole(value: Any) -> Any:
    """A whole number of NumPy as one of Python; anything else as it is."""
    return value if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)


def _number(value: Any) -> Any:
    """A number of NumPy as one of Python; anything else as it is."""
    return value if isinstance(value, (bool, str)) or not hasattr(value, "__float__") else float(value)
