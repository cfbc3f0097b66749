"""What a world tells of itself: its mission as named measures, and its scene as plain data for maps.

Names, units and words are the scenario's. Whoever shows or judges them reads them here and knows no scenario.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import Finite

MOST_MEASURES = 32
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Words = Annotated[str, Meta(max_length=200)]

SHARE = "0..1"
"""Unit of a measure that is a share: shown as a percentage."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a mission."""

    name: Name                       # as in `summary.json`: mission.NAME
    value: Finite
    unit: Words = ""                 # `0..1` for a share; empty for a count
    text: Words = ""                 # what it says


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """How far a mission has come. The measures are in the order in which they are shown."""

    headline: Name                   # the measure that says most
    measures: Annotated[list[Measure], Meta(max_length=MOST_MEASURES)]


class SceneShape(msgspec.Struct, frozen=True, kw_only=True):
    """A footprint: a rectangle by its half extents and yaw, or a circle of radius hx_m."""

    layer: str                       # `wall`, or what else the scenario calls it
    shape: str                       # box or circle
    x_m: float                       # centre
    y_m: float                       # centre
    hx_m: float                      # half extent along its own x, or radius
    hy_m: float                      # half extent along its own y
    yaw_rad: float                   # how far it is turned
    colour: str                      # "#rrggbb"


class SceneMark(msgspec.Struct, frozen=True, kw_only=True):
    """A place that counts for the mission, and who has dealt with it when."""

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


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A world as plain data, for maps. Square, centred on the origin."""

    scenario: str                    # its name
    seed: int                        # that it was made from
    size_m: float                    # of each side
    time_s: float                    # simulated, of this scene
    shapes: list[SceneShape]         # what stands in the way
    marks: list[SceneMark] = []      # what counts for the mission
    mark: str = "mark"               # what a mark is called
    done: str = "done"               # what a mark is called that was dealt with
    spawns: list[SceneRobot] = []    # robots at the start
    robots: list[SceneRobot] = []    # robots now
