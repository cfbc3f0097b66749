"""Traces of a link's rate as text: seconds and Mbit/s on each line, or the milliseconds of mahimahi."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from swarm.core.policy.trace import PacketTrace, RateTrace
from swarm.core.settings.errors import BadInput

BETWEEN = re.compile(r"[\s,;]+")
FORMS = "lines of seconds and Mbit/s, or of whole milliseconds as mahimahi has them"
MOST_MBPS, MOST_S = 1e5, 1e7
LONGEST = 40                         # characters of a line that are shown


def parse_trace(text: str, where: str) -> RateTrace | PacketTrace:
    """The form is told by the number of columns. Empty lines, lines that begin with # and a header are left out.

    Raises: BadInput with the line, for what is no trace, does not ascend or carries nothing.
    """
    lines = [(number, BETWEEN.split(line.strip().strip(",;"))) for number, line in enumerate(text.splitlines(), 1)
             if line.strip() and not line.lstrip().startswith("#")]
    if lines and len(lines[0][1]) == 2 and _number(lines[0][1][0]) is None:
        del lines[0]                                 # a header
    if not lines:
        raise BadInput(where, "it is empty", FORMS)
    columns = len(lines[0][1])
    rows = [(number, _row(cells, columns, f"{where}: line {number}")) for number, cells in lines]
    for (_, before), (number, row) in pairwise(rows):
        if row[0] < before[0] or (columns == 2 and row[0] == before[0]):
            raise BadInput(f"{where}: line {number}", f"{row[0]:g} comes after {before[0]:g}", "ascending times")
    if not any(row[-1] for _, row in rows):
        raise BadInput(where, "it carries nothing: every line ends in 0", "a number above 0")
    if columns == 1:
        return PacketTrace.of(int(row[0]) for _, row in rows)
    return RateTrace.of((row[0], row[1]) for _, row in rows)


def _row(cells: list[str], columns: int, where: str) -> list[float]:
    """The numbers of a line. Raises: BadInput."""
    row = [number for cell in cells if (number := _number(cell)) is not None]
    if not len(row) == len(cells) == columns <= 2:
        raise BadInput(where, f"{' '.join(cells)[:LONGEST]!r}", FORMS)
    if columns == 1 and not (row[0].is_integer() and 0 <= row[0] <= 1e3 * MOST_S):
        raise BadInput(where, f"{row[0]:g} ms", f"a whole number from 0 to {1e3 * MOST_S:g}")
    if columns == 2 and not (0 <= row[0] <= MOST_S and 0 <= row[1] <= MOST_MBPS):
        raise BadInput(where, f"{row[0]:g} s and {row[1]:g} Mbit/s", f"0 to {MOST_S:g} s, 0 to {MOST_MBPS:g} Mbit/s")
    return row


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
