"""What every world offers, and the plain data it reports.

A world is stepped from outside: it reads no clock and starts no thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from sim_worlds.physics import STEP_S
from sim_worlds.sensors.ground_truth import TrueBox
from swarm.core.protocol.world import Act, Claim, Observation


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """How far the mission has come."""

    targets: int
    found: int
    coverage: float                  # share of the free floor that any robot has seen, 0..1
    collisions: int                  # contact episodes of a robot with anything but the floor
    wrong_claims: int
    duplicate_claims: int


class SceneShape(msgspec.Struct, frozen=True, kw_only=True):
    """A footprint: a rectangle by its half extents and yaw, or a circle of radius hx_m."""

    shape: str                       # box or circle
    x_m: float                       # centre
    y_m: float                       # centre
    hx_m: float                      # half extent along its own x, or radius
    hy_m: float                      # half extent along its own y
    yaw_rad: float                   # how far it is turned
    colour: str                      # "#rrggbb"


class SceneTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target, and who found it when."""

    label: str                       # class
    x_m: float                       # centre
    y_m: float                       # centre
    found_by: str | None             # robot; null: nobody yet
    found_at_s: float | None         # simulated time


class SceneRobot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a robot stands."""

    name: str                        # of the robot
    kind: str                        # of robot
    radius_m: float                  # of its footprint
    x_m: float                       # centre
    y_m: float                       # centre
    heading_rad: float               # 0 along x, counter-clockwise


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A world as plain data, for maps: `msgspec.to_builtins` makes JSON of it. Square, centred on the origin."""

    scenario: str                    # its name
    seed: int                        # that it was made from
    size_m: float                    # of each side
    time_s: float                    # simulated, of this scene
    walls: list[SceneShape]          # inner and outer ones
    clutter: list[SceneShape]        # things that are no targets
    targets: list[SceneTarget]       # to be found
    spawns: list[SceneRobot]         # robots at the start
    robots: list[SceneRobot]         # robots now


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
    def claim(self, robot: str, claim: Claim) -> str:
        """Judge a claim: "found", "duplicate" (of a target found before) or "wrong"."""

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
