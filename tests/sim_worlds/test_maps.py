"""Maps of ROS's map_server: which floor they enclose, which walls stand around it, and which files are refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from docs import make_map
from sim_worlds import maps
from sim_worlds.maps import floor_plan, rectangles
from sim_worlds.occupancy import Grid
from swarm import settings_files
from swarm.core.settings.errors import BadInput
from swarm.core.settings.named_files.map_file import MapFile, MapSource

DESCRIBED = {"image": "map.png", "resolution": 0.5, "origin": [-1.0, -2.0, 0.0], "negate": 0,
             "occupied_thresh": 0.65, "free_thresh": 0.196}
ROOM = """
    ..........
    .########.
    .#      #.
    .#      #.
    .#  ##  #.
    .#      #.
    .########.
    .........."""
GREY = {" ": 254, "#": 0, ".": 205}


def drawn(text: str) -> NDArray[np.uint8]:
    return np.array([[GREY[c] for c in line.strip("\n")[4:]] for line in text.split("\n")[1:]], np.uint8)


def encoded(pixels: NDArray[np.generic], kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def source(image: bytes, **changes: object) -> MapSource:
    described = MapFile(**DESCRIBED | {"origin": (-1.0, -2.0, 0.0)} | changes)     # pyright: ignore[reportArgumentType]
    return MapSource(path="map.yaml", described=described, image_path="map.png", image=image)


def test_a_room_becomes_walls_around_its_floor() -> None:
    """The floor is 6 x 4 cells of 0.5 m: 3 x 2 m, from column 2 and from row 2 above the lower edge."""
    floor = floor_plan(source(encoded(drawn(ROOM))))
    assert floor.size_m == 3.5                               # 3 m and 0.2 m on each side, in steps of 0.5 m
    assert floor.middle == (-1.0 + 2 * 0.5 + 1.5, -2.0 + 2 * 0.5 + 1.0)
    assert len(floor.walls) == 5                             # one on each side, and the block of 2 x 1 cells
    block = floor.walls[4]
    assert (block.x_m, block.y_m, block.hx_m, block.hy_m) == (0.0, -0.25, 0.5, 0.25)       # the second row from below
    assert block.z_m - block.hz_m == 0.0


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
@pytest.mark.parametrize("negate", [0, 1, True])
def test_the_same_floor_from_each_format(kind: str, negate: int) -> None:
    pixels = drawn(ROOM)
    pixels = 255 - pixels if negate else pixels
    wanted = floor_plan(source(encoded(drawn(ROOM))))
    assert floor_plan(source(encoded(pixels, kind), negate=negate)) == wanted
    deep = pixels.astype(np.uint16) * 257
    assert floor_plan(source(encoded(deep, kind), negate=negate)) == wanted
    assert floor_plan(source(encoded(np.repeat(pixels[..., None], 3, axis=2), kind), negate=negate)) == wanted


def test_pixels_that_are_not_opaque_are_unknown() -> None:
    pixels = np.repeat(drawn(ROOM)[..., None], 4, axis=2)
    pixels[..., 3] = 255
    pixels[2, 2, 3] = 254
    assert len(floor_plan(source(encoded(pixels))).walls) == 6


def test_white_around_a_building_is_not_its_floor() -> None:
    around = np.where(drawn(ROOM) == 205, 254, drawn(ROOM)).astype(np.uint8)
    assert floor_plan(source(encoded(around))) == floor_plan(source(encoded(drawn(ROOM))))


def test_rectangles_are_runs_with_the_equal_runs_that_follow() -> None:
    solid = np.array([[1, 1, 0, 1],
                      [1, 1, 0, 0],
                      [0, 1, 1, 1],
                      [1, 1, 0, 0]], bool)
    assert sorted(map(tuple, rectangles(solid).tolist())) == [
        (0, 0, 2, 2), (0, 3, 1, 4), (2, 1, 3, 4), (3, 0, 4, 2)]


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(0.0, 1.0))
def test_rectangles_cover_each_cell_once(seed: int, rows: int, columns: int, share: float) -> None:
    solid = np.random.default_rng(seed).random((rows, columns)) < share
    covered = np.zeros((rows, columns), int)
    for y0, x0, y1, x1 in rectangles(solid):
        covered[y0:y1, x0:x1] += 1
    assert (covered == solid).all()


def test_the_walls_are_the_cells_that_are_not_floor() -> None:
    """Round trip: drawn at the map's resolution, the walls give the image again."""
    free = np.asarray(make_map.office())[::-1] == make_map.FREE
    office = settings_files.load_map(make_map.FOLDER / "office.yaml")
    floor = floor_plan(office)
    ys, xs = (np.flatnonzero(free.any(axis=axis)) for axis in (1, 0))
    grid = Grid(size_m=floor.size_m, resolution_m=0.05)
    solid = grid.rasterise(floor.walls)
    rows = grid.indices((np.arange(ys[0], ys[-1] + 1) + 0.5) * 0.05 - 6.0 - floor.middle[1])
    columns = grid.indices((np.arange(xs[0], xs[-1] + 1) + 0.5) * 0.05 - 7.5 - floor.middle[0])
    assert (solid[np.ix_(rows, columns)] == ~free[ys[0]:ys[-1] + 1, xs[0]:xs[-1] + 1]).all()
    assert int((~solid).sum()) == int(free.sum())
    assert len(floor.walls) < 120


def test_the_example_is_what_its_script_makes() -> None:
    assert make_map.current()


def test_robots_start_apart_on_the_floor() -> None:
    place = floor_plan(settings_files.load_map(make_map.FOLDER / "office.yaml")).environment(40)
    xy = np.array([(s.x_m, s.y_m) for s in place.spawns])
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))[np.triu_indices(40, 1)]
    assert apart.min() > 0.85
    for spawn in place.spawns:
        place.check_spawn(spawn.x_m, spawn.y_m)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width_px: int, height_px: int) -> bytes:
    """An image without its pixels."""
    head = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")


CLOSED = np.zeros((9, 9), np.uint8)
OPEN = np.full((9, 9), 254, np.uint8)
CHESS = np.where(np.indices((200, 200)).sum(axis=0) % 7 < 5, 254, 0).astype(np.uint8)
CHESS[[0, -1], :] = CHESS[:, [0, -1]] = 0
CHESS[1:-1, 1:4] = 254
TINY = np.zeros((9, 9), np.uint8)
TINY[4, 4] = 254


@pytest.mark.parametrize(("image", "changes", "words"), [
    (b"", {}, "map.png: neither PNG nor PGM"),
    (b"GIF89a" + bytes(99), {}, "map.png: neither PNG nor PGM"),
    (encoded(drawn(ROOM))[:60], {}, "map.png: it is damaged"),
    (b"P5\n9 9\n255\n" + bytes(5), {}, "map.png: it is damaged"),
    (png_of(5000, 10), {}, "map.png: 5000 x 10 pixels; at most 4000 each way"),
    (png_of(10_000, 10_000), {}, "map.png: too many pixels; at most 4000 each way"),
    (png_of(2**31 - 1, 2**31 - 1), {}, "map.png: too many pixels; at most 4000 each way"),
    (encoded(CLOSED), {}, "map.png: it encloses no space"),
    (encoded(OPEN), {}, "map.png: it encloses no space"),
    (encoded(drawn(ROOM)), {"free_thresh": 0.0}, "map.png: it encloses no space"),
    (encoded(TINY), {}, "map.yaml: no robot can stand on its floor of 0.50 x 0.50 m"),
    (encoded(CHESS), {}, "map.png: its outlines need"),
    (encoded(np.pad(np.full((9, 400), 254, np.uint8), 1)), {"resolution": 1.0}, "map.yaml: the floor is 400 x 9 m"),
])
def test_an_image_is_refused_in_words(
    image: bytes, changes: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "MOST_WALLS", 1000)
    with pytest.raises(BadInput) as refused:
        floor_plan(source(image, **changes))
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(("changes", "words"), [
    ({"origin": [0, 0, 0.3]}, "origin[2]: the map is turned by 0.3 rad"),
    ({"origin": [float("nan"), 0, 0]}, "origin: [nan, 0, 0] is not finite"),
    ({"origin": [float("inf"), 0, 0]}, "origin: [inf, 0, 0] is not finite"),
    ({"origin": [0, 0]}, "origin"),
    ({"resolution": 0}, "resolution: 0 is too small"),
    ({"resolution": "fine"}, "resolution: 'fine' is text, not a number"),
    ({"resolution": float("nan")}, "resolution: nan"),
    ({"negate": 2}, "negate"),
    ({"occupied_thresh": 1.5}, "occupied_thresh: 1.5 is too large"),
    ({"free_thresh": 0.7}, "free_thresh: 0.7 is above occupied_thresh, 0.65"),
    ({"mode": "raw"}, "mode: 'raw' is not a choice; only trinary"),
    ({"imge": "x"}, "unknown key 'imge'; did you mean 'image'?"),
    ({"image": "none.png"}, "No such file or directory; a readable PNG or PGM file"),
    ({"image": "."}, "a readable PNG or PGM file"),
    ({"image": "a\0b"}, "a readable PNG or PGM file"),
])
def test_a_description_is_refused_in_words(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    from swarm.core.settings import yaml_text

    (tmp_path / "map.png").write_bytes(encoded(drawn(ROOM)))
    file = tmp_path / "map.yaml"
    file.write_text(yaml_text.dump(DESCRIBED | changes))
    with pytest.raises(BadInput) as refused:
        settings_files.load_map(file)
    assert words in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_no_such_map() -> None:
    with pytest.raises(BadInput, match="No such file"):
        settings_files.load_map(Path("nowhere.yaml"))
