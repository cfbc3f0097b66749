"""A world's description of itself: its mission as named measures, and its scene as plain data for maps.

The scenario chooses names, units and words, so that reports and checks need to know no scenario.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import Finite

MOST_MEASURES = 32
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^(?!headline$)[a-z][a-z0-9_]*$")]
Words = Annotated[str, Meta(max_length=200)]

SHARE = "0..1"
"""Unit of a measure that is a share: shown as a percentage."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a mission."""

    name: Name                       # as in `summary.json`: mission.NAME
    value: Finite
    unit: Words = ""                 # `0..1` for a share; empty for a count
    text: Words = ""                 # its meaning


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a mission. The measures are in the order in which they are shown."""

    headline: Name                   # the most important measure
    measures: Annotated[list[Measure], Meta(max_length=MOST_MEASURES)]


class SceneShape(msgspec.Struct, frozen=True, kw_only=True):
    """A footprint: a rectangle by its half extents and yaw, or a circle of radius hx_m."""

    layer: str                       # `wall`, or another name that the scenario gives
    shape: str                       # box or circle
    x_m: float                       # centre
    y_m: float                       # centre
    hx_m: float                      # half extent along its own x, or radius
    hy_m: float                      # half extent along its own y
    yaw_rad: float                   # its rotation
    colour: str                      # "#rrggbb"


class SceneMark(msgspec.Struct, frozen=True, kw_only=True):
    """A place that counts for the mission; which robot has dealt with it, and when."""

    label: str                       # its class
    x_m: float                       # centre
    y_m: float                       # centre
    done_by: str | None              # robot; null: nobody yet
    done_at_s: float | None          # simulated time


class SceneRobot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a robot stands."""

    name: str                        # of the robot
    kind: str                        # of robot
    radius_m: float                  # of its footprint
    x_m: float                       # centre
    y_m: float                       # centre
    heading_rad: float               # 0 along x, counter-clockwise
    z_m: float = 0.0                 # of its base above the floor


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A world as plain data, for maps. Square, centred on the origin."""

    scenario: str                    # its name
    seed: int                        # of the world
    size_m: float                    # of each side
    time_s: float                    # simulated, of this scene
    shapes: list[SceneShape]         # obstacles
    marks: list[SceneMark] = []      # places that count for the mission
    mark: str = "mark"               # word for a mark
    done: str = "done"               # word for a mark that was dealt with
    spawns: list[SceneRobot] = []    # robots at the start
    robots: list[SceneRobot] = []    # robots now
