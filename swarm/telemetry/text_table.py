"""Tables of plain text, the same on a terminal and in a pipe: no colours, no borders, nothing wrapped or cut."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence

WIDTH = 10_000
"""Columns of text: more than any row has, so that rich neither wraps nor cuts a row."""


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = (), rule: bool = False
) -> str:
    """Lines of text that end with a line break each.

    header: may be empty. rows: cells that are text or a renderable of rich, as many in each row. right: the indices of
    the columns that are aligned to the right. rule: draw a line under the header.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    filled = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if not header and not filled:
        return ""
    table = Table(box=box.SIMPLE_HEAD if rule else None, show_header=bool(header), pad_edge=False, show_edge=False,
                  padding=(0, 2, 0, 0) if not rule else (0, 1))
    for column in range(max(map(len, [header, *filled]), default=0)):
        table.add_column(Text(header[column]) if header else "", justify="right" if column in right else "left",
                         no_wrap=True)
    for row in filled:
        table.add_row(*row)                                          # pyright: ignore[reportArgumentType]
    drawn = io.StringIO()
    Console(file=drawn, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines())
