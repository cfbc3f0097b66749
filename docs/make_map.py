"""Makes launch/maps/office.yaml and office.png, the example of a map: `make docs`. A test checks that they are current.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent.parent / "launch" / "maps"
CELL_M = 0.05
SIZE_M = 15.0, 12.0
FREE, OCCUPIED, UNKNOWN = 254, 0, 205            # the grey values that map_saver writes
WALL_M = 0.15
OUTLINE = (0.5, 0.5), (14.5, 0.5), (14.5, 8.5), (11.0, 11.5), (0.5, 11.5)      # one corner is cut off
WALLS = (                                        # from and to
    ((0.5, 5.0), (2.2, 5.0)), ((3.6, 5.0), (7.8, 5.0)), ((9.2, 5.0), (12.0, 5.0)),
    ((13.3, 5.0), (14.5, 5.0)), ((5.2, 0.5), (5.2, 2.4)), ((5.2, 3.8), (5.2, 5.0)),
    ((10.2, 0.5), (10.2, 1.6)), ((10.2, 3.0), (10.2, 5.0)), ((6.5, 7.0), (6.5, 11.5)))
DESKS = ((1.6, 1.4, 2.8, 2.0), (6.6, 1.3, 8.4, 1.9), (12.0, 1.2, 13.2, 2.6), (2.0, 8.6, 4.0, 9.4))
PILLARS = ((9.4, 8.2), (12.0, 7.6))              # 0.2 m thick in radius
YAML = f"""\
image: office.png
resolution: {CELL_M}
origin: [-7.5, -6.0, 0.0]
negate: 0
occupied_thresh: 0.65
free_thresh: 0.196
"""


def office() -> Image.Image:
    """An office of four rooms and a hall, 15 x 12 m, as a robot would have mapped it."""
    width, height = (round(side / CELL_M) for side in SIZE_M)
    image = Image.new("L", (width, height), UNKNOWN)
    draw = ImageDraw.Draw(image)

    def at(x_m: float, y_m: float) -> tuple[int, int]:
        return round(x_m / CELL_M), height - 1 - round(y_m / CELL_M)

    draw.polygon([at(*corner) for corner in OUTLINE], fill=FREE)
    thick = round(WALL_M / CELL_M)
    for a, b in [*zip(OUTLINE, (*OUTLINE[1:], OUTLINE[0]), strict=True), *WALLS]:
        draw.line([at(*a), at(*b)], fill=OCCUPIED, width=thick)
    for x0, y0, x1, y1 in DESKS:
        draw.rectangle([at(x0, y1), at(x1, y0)], fill=OCCUPIED)
    for x, y in PILLARS:
        draw.ellipse([at(x - 0.2, y + 0.2), at(x + 0.2, y - 0.2)], fill=OCCUPIED)
    return image


def current() -> bool:
    """Whether the files are what this script makes."""
    made = FOLDER / "office.png"
    return (made.is_file() and (FOLDER / "office.yaml").read_text(encoding="utf-8") == YAML
            and np.array_equal(np.asarray(Image.open(made)), np.asarray(office())))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    office().save(FOLDER / "office.png", optimize=True)
    (FOLDER / "office.yaml").write_text(YAML, encoding="utf-8")
