from __future__ import annotations

import numpy as np
import pytest

from agents.behaviours.search.frontier import SLOW, UNREACHED, wavefront

NEIGHBOURS = (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)


def plain(passable: np.ndarray, slow: np.ndarray, iy: int, ix: int) -> np.ndarray:
    """Cell by cell. A slow cell is entered later, by as much as it costs."""
    n = len(passable)
    steps = np.full((n, n), UNREACHED, np.int32)
    waiting: dict[int, list[tuple[int, int]]] = {0: [(iy, ix)]}
    depth = 0
    while waiting:
        front = {cell for cell in waiting.pop(depth, []) if passable[cell] and steps[cell] == UNREACHED}
        for cell in front:
            steps[cell] = depth
        for y, x in front:
            for dy, dx in NEIGHBOURS[:8 if depth % 2 else 4]:
                cell = y + dy, x + dx
                if min(cell) >= 0 and max(cell) < n and passable[cell] and steps[cell] == UNREACHED:
                    waiting.setdefault(depth + 1 + SLOW * int(slow[cell]), []).append(cell)
        depth += 1
    return steps


@pytest.mark.parametrize("share", [0.55, 0.75, 0.95])
def test_steps_are_those_of_a_walk_cell_by_cell(share: float) -> None:
    draw = np.random.default_rng(round(100 * share))
    for n in (1, 2, 7, 40, 96):
        passable, slow = draw.random((n, n)) < share, draw.random((n, n)) < 0.3
        iy, ix = draw.integers(0, n, 2).tolist()
        passable[iy, ix] = True
        np.testing.assert_array_equal(wavefront(passable, slow, iy, ix), plain(passable, slow, iy, ix))


def test_a_long_way_is_measured_to_its_end() -> None:
    passable = np.zeros((96, 96), bool)
    passable[::2] = True                                     # a snake: 48 rows, joined at alternating ends
    passable[1::4, -1] = passable[3::4, 0] = True
    steps = wavefront(passable, np.zeros_like(passable), 0, 0)
    np.testing.assert_array_equal(steps, plain(passable, np.zeros_like(passable), 0, 0))
    assert 4000 < steps[steps < UNREACHED].max() < UNREACHED
