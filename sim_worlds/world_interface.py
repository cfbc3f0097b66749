"""What every world offers.

A world is stepped from outside: it reads no clock and starts no thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from sim_worlds.physics import STEP_S
from sim_worlds.sensors.ground_truth import TrueBox
from swarm.core.protocol.scene import Mission, Scene
from swarm.core.protocol.world import Act, Observation, Report, SensorSuite


class World(ABC):
    """Robots in a place with a mission, advanced in steps of `dt_s` of simulated time.

    Methods that take a robot's name raise ValueError for an unknown one.
    """

    dt_s: float = STEP_S
    names: list[str]
    renderer: str                    # what draws frames, for the manifest

    @property
    @abstractmethod
    def time_s(self) -> float:
        """Simulated time since the start."""

    @abstractmethod
    def step(self) -> None:
        """Advance by `dt_s`."""

    @abstractmethod
    def act(self, robot: str, act: Act) -> None:
        """Set a velocity command; it holds for `ttl_s` of simulated time, then the robot stops."""

    @abstractmethod
    def observe(self, robot: str, *, frame: bool) -> Observation:
        """What the robot senses now, with a camera frame when asked for and the world can render.

        `age_s` is the latency of the slowest sensor that it holds: what a clock adds is not the world's to know.
        """

    @abstractmethod
    def seen(self, robot: str) -> list[TrueBox]:
        """The true boxes in the robot's camera now, found without rendering: for virtual time."""

    @abstractmethod
    def sensors(self, robot: str) -> SensorSuite:
        """What the robot senses with."""

    @abstractmethod
    def judge(self, robot: str, report: Report) -> str:
        """The verdict on a robot's report, a word of the scenario."""

    @abstractmethod
    def remove(self, robot: str) -> None:
        """The robot's agent is gone: it stands still, as an obstacle."""

    @abstractmethod
    def restore(self, robot: str) -> None:
        """The robot's agent was started anew: it acts again, from where it stands."""

    @abstractmethod
    def mission(self) -> Mission:
        """How far the mission has come."""

    @abstractmethod
    def scene(self) -> Scene:
        """The world as plain data."""

    @abstractmethod
    def close(self) -> None:
        """Free what the world holds outside Python; a second call does nothing."""

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
