"""The interface of a world.

Its caller steps it: a world reads no clock and starts no thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.scene import Mission, Scene
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, BatteryState, Observation, Pose, Report
from swarm.core.settings.randomise import Surroundings


class CannotAct(ValueError):
    """A command that the kind of the robot cannot do: one to fly for a robot that drives, or the other way round."""


class World(ABC):
    """Robots with a mission in an environment, advanced in steps of `dt_s` of simulated time.

    Every method that takes a robot's name raises ValueError for an unknown name.
    """

    dt_s: float                      # simulated time of a step
    names: list[str]
    renderer: str                    # name of the renderer of the frames, for the manifest

    @property
    @abstractmethod
    def time_s(self) -> float:
        """Simulated time since the start."""

    @abstractmethod
    def step(self) -> None:
        """Advance by `dt_s`."""

    @abstractmethod
    def act(self, robot: str, act: Act) -> None:
        """Set a velocity command; it holds for `ttl_s` of simulated time, then the robot stops.

        Raises: CannotAct for a command of another kind of robot; the robot goes on as before.
        """

    @abstractmethod
    def observe(self, robot: str, *, frame: bool) -> Observation:
        """What the robot's sensors give now, with a camera frame if `frame` is set and the world can render.

        Each gives what it measured its latency ago, as `Observation` says; `capture` is there if `frame` is set and
        camera and lidar have different latencies. The caller adds the delays of the real clock to all ages.
        """

    @abstractmethod
    def view(self, robot: str) -> TrueView:
        """The truth of the frame that `observe` gives now, computed without rendering when it is asked for."""

    @abstractmethod
    def sensors(self, robot: str) -> SensorSuite:
        """The robot's sensors."""

    @abstractmethod
    def judge(self, robot: str, report: Report) -> str:
        """The verdict on a robot's report; the scenario defines the possible words."""

    def due_reports(self, robot: str) -> list[Report]:
        """What the robot would report now if it recognised without errors what it sees: for learners, who only move.

        It is asked once per step of a learner, and its reports are judged. Nothing, unless the scenario says otherwise.
        """
        return []

    def goal(self, robot: str) -> tuple[float, float] | None:
        """Where the robot has to go for its next due report or its mission, x, y in metres.

        None: nowhere now, or the scenario has no such places.
        """
        return None

    @abstractmethod
    def remove(self, robot: str) -> None:
        """Stop a robot whose agent is gone; it stays in the world as an obstacle."""

    @abstractmethod
    def restore(self, robot: str) -> None:
        """Let a robot act again after a restart of its agent, from where it stands."""

    def surround(self, surroundings: Surroundings) -> None:
        """Vary floor and looks of the place, before the start. Raises: ValueError if this world cannot."""
        raise ValueError("this world has nothing that can be randomised; leave out randomise")

    def poses(self) -> dict[str, Pose]:
        """Where robots are now, by name, without the noise of their sensors; of those that this world knows of."""
        return {}

    def places(self) -> NDArray[np.float64] | None:
        """Where all robots are now: x, y in metres, [robots, 2]. None: this world does not know."""
        return None

    def used(self, robot: str, boot: int, compute_j: float, radio_j: float) -> None:  # noqa: B027 - most have no battery
        """The computer of a robot has used so much since this start of its agent; a battery, if it has one, gives it.
        """

    def batteries(self) -> dict[str, BatteryState]:
        """The batteries of the robots that have one, by name. A robot whose battery is empty is removed for good."""
        return {}

    @abstractmethod
    def mission(self) -> Mission:
        """The progress of the mission."""

    @abstractmethod
    def scene(self) -> Scene:
        """The world as plain data."""

    @abstractmethod
    def close(self) -> None:
        """Free the resources outside Python; a second call does nothing."""

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
