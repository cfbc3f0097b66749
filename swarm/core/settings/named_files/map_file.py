"""The description of a map of ROS's map_server: an image of the floor, and the size and meaning of its pixels.

Source: wiki.ros.org/map_server (YAML format) and nav2_map_server, both with `mode: trinary`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from swarm.core.settings import validation
from swarm.core.settings.boards import Strict
from swarm.core.settings.errors import BadInput

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class MapFile(Strict, frozen=True, kw_only=True):
    """The YAML file. A pixel's darkness is its probability to be occupied: 0 white, 1 black."""

    image: Annotated[str, Meta(min_length=1, max_length=4096)]       # PNG or PGM, beside the YAML file
    resolution: Annotated[float, Meta(ge=0.005, le=1.0)]             # metres a pixel
    origin: tuple[float, float, float]       # of the lower left corner in the map's frame: x, y in metres, yaw in rad
    negate: Literal[0, 1] | bool             # 1: black is free, white is occupied
    occupied_thresh: Share                   # darker pixels are occupied
    free_thresh: Share                       # lighter pixels are free; those between are unknown
    mode: Literal["trinary"] = "trinary"


class MapSource(msgspec.Struct, frozen=True, kw_only=True):
    """A map as it was read: nothing of the image has been looked at yet."""

    path: str                        # of the YAML file
    described: MapFile
    image_path: str
    image: bytes


def parse_map(raw: object, where: str) -> MapFile:
    """The description from a file's plain data. Raises: BadInput."""
    described = validation.check(raw, MapFile, where)
    x_m, y_m, yaw_rad = described.origin
    if not all(map(math.isfinite, described.origin)):
        raise BadInput(f"{where}: origin", f"[{x_m:g}, {y_m:g}, {yaw_rad:g}] is not finite", "[x, y, 0] in metres")
    if yaw_rad:
        raise BadInput(f"{where}: origin[2]", f"the map is turned by {yaw_rad:g} rad", "0: an image that is not turned")
    if described.free_thresh > described.occupied_thresh:
        raise BadInput(f"{where}: free_thresh", f"{described.free_thresh:g} is above occupied_thresh, "
                       f"{described.occupied_thresh:g}", "a smaller value: pixels between the two are unknown")
    return described
