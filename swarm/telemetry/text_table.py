"""Tables of plain text, the same on a terminal and in a pipe: no colours, no borders, nothing wrapped or cut."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence

WIDTH = 10_000
"""Columns of text: more than any row needs, so that rich neither wraps nor cuts a row."""


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = (), rule: bool = False
) -> str:
    """The table as text; each line ends with a line break.

    header: may be empty. rows: the same number of cells each; a cell is text or a renderable of rich. right:
    indices of the columns that are aligned to the right. rule: draw a line under the header.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if not header and not cells:
        return ""
    table = Table(box=box.SIMPLE_HEAD if rule else None, show_header=bool(header), pad_edge=False, show_edge=False,
                  padding=(0, 2, 0, 0) if not rule else (0, 1))
    for column in range(max(map(len, [header, *cells]), default=0)):
        table.add_column(Text(header[column]) if header else "", justify="right" if column in right else "left",
                         no_wrap=True)
    for row in cells:
        table.add_row(*row)                                          # pyright: ignore[reportArgumentType]
    output = io.StringIO()
    Console(file=output, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())
