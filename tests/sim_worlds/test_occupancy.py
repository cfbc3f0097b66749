"""Grids: steps from a place, and whether free cells are one piece."""

from __future__ import annotations

import numpy as np
import pytest

from sim_worlds.occupancy import Grid

GRID = Grid(size_m=5.0, resolution_m=1.0)
FREE = np.array([[c == "." for c in row] for row in ("..#..", "..#..", "..#..", "....#", "...#.")])


def test_steps_go_round_what_is_in_the_way() -> None:
    steps = GRID.steps_from(FREE, -2.0, -2.0)                # the cell [0, 0]
    assert steps.tolist() == [[0, 1, -1, 9, 10], [1, 2, -1, 8, 9], [2, 3, -1, 7, 8], [3, 4, 5, 6, -1],
                              [4, 5, 6, -1, -1]]


def test_from_a_cell_that_is_not_free_nothing_is_reached() -> None:
    assert (GRID.steps_from(FREE, 0.0, -2.0) == -1).all()


@pytest.mark.parametrize(("row", "column", "joined"), [(4, 3, True), (3, 4, True), (0, 2, False)])
def test_cells_that_touch_at_corners_are_two_pieces(row: int, column: int, joined: bool) -> None:
    assert not GRID.joined(FREE)                             # the cell [4, 4] is alone
    free = FREE.copy()
    free[row, column] = True
    assert GRID.joined(free) == joined
    assert GRID.joined(np.zeros((5, 5), bool))
