"""A scatter chart of characters for terminals. The library rich has tables and bars, but no chart with two axes."""

from __future__ import annotations

from collections.abc import Sequence


def scatter(
    points: Sequence[tuple[str, float, float]], x_name: str, y_name: str, width: int = 56, height: int = 9
) -> list[str]:
    """The lines of a chart of points (name, x, y); x begins at 0. A name is right of its point, or left at the edge."""
    x_max = max(x for _, x, _ in points) or 1.0
    y_min, y_max = min(y for _, _, y in points), max(y for _, _, y in points)
    y_range = (y_max - y_min) or 1.0
    cells = [[" "] * width for _ in range(height)]
    for name, x, y in points:
        row = round((height - 1) * (y_max - y) / y_range) if y_max > y_min else height // 2
        column = round((width - 1) * x / x_max)
        text = f"● {name}" if column + len(name) + 2 <= width else f"{name} ●"
        start = column if text.startswith("●") else column - len(text) + 1
        for i, letter in enumerate(text):
            if 0 <= start + i < width and (letter == "●" or cells[row][start + i] == " "):
                cells[row][start + i] = letter
    marks = {0: f"{y_max:.3f}", height - 1: f"{y_min:.3f}"} if y_max > y_min else {height // 2: f"{y_max:.3f}"}
    lines = [f"{marks.get(i, ''):>8} │{''.join(row).rstrip()}" for i, row in enumerate(cells)]
    right = f"{x_max:.3g} {x_name}"
    return [f"{y_name:>8}", *lines, f"{'':8} └{'─' * width}", f"{'':10}0{right:>{width - 1}}"]
