"""Maps of ROS's map_server as places for robots: an image becomes walls around one enclosed floor.

The only file that imports Pillow. Whatever is not this floor is solid: occupied and unknown pixels, other rooms, and
what lies around the building.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import ROBOT_RADIUS_M, Environment, spawns_around
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Solid, box
from swarm.core.settings.errors import BadInput
from swarm.core.settings.named_files.map_file import MapSource

MOST_PIXELS = 4000                   # along each side of the image
MOST_M = 200.0                       # along each side of the enclosed floor
MOST_WALLS = 4000
WALL_M = 2.4
RIM_M = 0.2                          # solid around the floor, at least
UNIT_M = 0.5                         # sides of places are multiples of it: all grids divide it
GRID_M = 0.1
COLOUR = (0.62, 0.62, 0.64)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """The floor of a map, in the world's frame, whose origin is the middle of the floor.

    start: a place where a robot can stand, from which the largest part of the floor can be reached.
    middle: the world's origin in the map's frame.
    """

    path: str                        # of the YAML file
    image_path: str
    size_m: float
    walls: tuple[Solid, ...]
    start: tuple[float, float]
    middle: tuple[float, float]

    def environment(self, robots: int) -> Environment:
        """The floor with a spawn for each robot, near `start`. Raises: ValueError if they do not fit."""
        spawns = spawns_around(self.walls, self.size_m, *self.start, robots, drive_margin_m=0.0)
        if spawns is None:
            raise ValueError(f"the map {self.path} has no room for {robots} robots")
        return Environment(size_m=self.size_m, walls=self.walls, spawns=tuple(spawns))


def floor_plan(source: MapSource) -> FloorPlan:
    """The largest floor of a map that walls enclose. Raises: BadInput, with the file that is wrong."""
    described, cell_m = source.described, source.described.resolution
    dark = _darkness(source)
    dark = 1.0 - dark if described.negate else dark
    floor = _enclosed(dark < described.free_thresh)
    if floor is None:
        raise BadInput(source.image_path, "it encloses no space: each free pixel is joined with the image's edge, or "
                       "there is none", "free floor with occupied or unknown pixels all around")
    ys, xs = (np.flatnonzero(floor.any(axis=axis)) for axis in (1, 0))
    floor = floor[ys[0]:ys[-1] + 1, xs[0]:xs[-1] + 1]
    height_m, width_m = floor.shape[0] * cell_m, floor.shape[1] * cell_m
    if max(height_m, width_m) > MOST_M:
        raise BadInput(source.path, f"the floor is {width_m:.0f} x {height_m:.0f} m", f"at most {MOST_M:g} m each way")
    south, west = (cells // 2 * cell_m for cells in floor.shape)     # whole cells: the world's grids fit the map's
    size_m = UNIT_M * math.ceil(2 * (max(height_m - south, width_m - west) + RIM_M) / UNIT_M)
    walls = _walls(floor, cell_m, (south, west), size_m, source)
    start = _start(walls, size_m)
    if start is None:
        raise BadInput(source.path, f"no robot can stand on its floor of {width_m:.2f} x {height_m:.2f} m",
                       "wider floor, or a larger resolution")
    middle = described.origin[0] + float(xs[0]) * cell_m + west, described.origin[1] + float(ys[0]) * cell_m + south
    return FloorPlan(path=source.path, image_path=source.image_path, size_m=size_m, walls=walls, start=start,
                     middle=middle)


def _darkness(source: MapSource) -> NDArray[np.float64]:
    """0 (white) to 1 (black) of each pixel, [rows from the south, columns]; the mean of colours. Raises: BadInput.

    A pixel that is not opaque is half dark, so it is unknown.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        raise BadInput(source.path, "maps need Pillow, which is not installed",
                       "pip install 'swarm-edge-runtime[sim]'") from None

    at, most = source.image_path, f"at most {MOST_PIXELS} each way"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(source.image), formats=("PNG", "PPM"))
        if max(image.size) > MOST_PIXELS:
            raise BadInput(at, f"{image.size[0]} x {image.size[1]} pixels", most)
        deep = image.mode.startswith("I")                    # 16 bits
        pixels = np.asarray(image if deep else image.convert("RGBA"))
    except BadInput:                                         # which is a ValueError
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadInput(at, "too many pixels", most) from None
    except UnidentifiedImageError:
        raise BadInput(at, "neither PNG nor PGM", "an image of one of these formats") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:    # Pillow raises all of these for broken files
        raise BadInput(at, f"it is damaged: {error}", "a whole PNG or PGM image") from None
    if deep:
        return 1.0 - pixels[::-1] / 65535.0
    dark = 1.0 - pixels[::-1, :, :3].mean(axis=2) / 255.0
    dark[pixels[::-1, :, 3] < 255] = 0.5
    return dark


def _enclosed(free: Bools) -> Bools | None:
    """The largest set of free cells, joined at their sides, that does not reach the rim; None: there is none."""
    sets, sizes = _sets(free)
    sizes[[*np.unique(np.concatenate([sets[0], sets[-1], sets[:, 0], sets[:, -1]]))]] = 0
    largest = int(sizes.argmax())
    return sets == largest if sizes[largest] else None


def _sets(cells: Bools) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """The sets of true cells that are joined at their sides: the number of each cell's, 0 for false; and their sizes.
    """
    from scipy import ndimage  # takes long to import

    numbers = np.zeros(cells.shape, np.int32)
    ndimage.label(cells, output=numbers)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return numbers, sizes


def _walls(
    floor: Bools, cell_m: float, middle: tuple[float, float], size_m: float, source: MapSource
) -> tuple[Solid, ...]:
    """What is solid, as boxes: four beside the floor's bounding rectangle, and rectangles of cells within it.

    middle: how far the world's origin is from the rectangle's south and west sides, metres.
    """
    south, west = middle
    north, east, edge = floor.shape[0] * cell_m - south, floor.shape[1] * cell_m - west, size_m / 2
    spans = [(-edge, -edge, edge, -south), (-edge, north, edge, edge),
             (-edge, -south, -west, north), (east, -south, edge, north)]
    by_rows, by_columns = rectangles(~floor), rectangles(~floor.T)
    best = by_rows if len(by_rows) <= len(by_columns) else by_columns[:, [1, 0, 3, 2]]
    if len(best) + len(spans) > MOST_WALLS:
        raise BadInput(source.image_path, f"its outlines need {len(best) + len(spans)} walls",
                       f"at most {MOST_WALLS}: a smoother image, or one with larger pixels")
    y0, x0, y1, x1 = best.T * cell_m
    spans += zip(*(side.tolist() for side in (x0 - west, y0 - south, x1 - west, y1 - south)), strict=True)
    return tuple(box((a + c) / 2, (b + d) / 2, 0.0, c - a, d - b, WALL_M, COLOUR) for a, b, c, d in spans)


def rectangles(solid: Bools) -> NDArray[np.intp]:
    """Rectangles that cover the true cells and no others, [n, 4]: first row and column, row and column after the last.

    Each is a run of a row, together with equal runs of the rows that follow.
    """
    wide = np.zeros((solid.shape[0], solid.shape[1] + 2), np.int8)
    wide[:, 1:-1] = solid
    change = np.diff(wide, axis=1)
    rows, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    open_: dict[tuple[int, int], int] = {}                   # run -> the rectangle that it may continue
    made: list[list[int]] = []
    for row, a, b in zip(rows.tolist(), first.tolist(), last.tolist(), strict=True):
        k = open_.get((a, b))
        if k is not None and made[k][2] == row:
            made[k][2] = row + 1
        else:
            open_[a, b] = len(made)
            made.append([row, a, row + 1, b])
    return np.array(made, np.intp).reshape(-1, 4)


def _start(walls: tuple[Solid, ...], size_m: float) -> tuple[float, float] | None:
    """A place for a robot in the largest part of the floor that one can drive about; the nearest one to its middle."""
    grid = Grid(size_m=size_m, resolution_m=GRID_M)
    parts, sizes = _sets(~grid.rasterise(walls, ROBOT_RADIUS_M))
    if not sizes.any():
        return None
    iy, ix = np.nonzero(parts == sizes.argmax())
    centres = grid.centres_m()
    x, y = centres[ix], centres[iy]
    k = int(np.hypot(x - x.mean(), y - y.mean()).argmin())
    return float(x[k]), float(y[k])
