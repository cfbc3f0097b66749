# pyright: reportMissingTypeStubs=false
"""How figures look on paper: as wide as a column, readable at that size, arms told apart in grey too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from swarm.experiments.results.words import label, unit_of
from swarm.telemetry.report import svg

WIDTH_IN = 3.4                       # a column of a page with two: IEEE has 3.5 in, ACM 3.33 in
INK, MUTED, LINE, PAPER, RED = (svg.ON_PAPER[name] for name in (svg.INK, svg.MUTED, svg.LINE, svg.PAPER, svg.RED))
OF_ARMS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE, svg.SKY, svg.GREY)
COLOURS = tuple(svg.ON_PAPER[name] for name in OF_ARMS)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1.2, 1.4)), (0, (2.6, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "/////", ".....", "xxxxx", "-----")
"""Not as many as there are colours, so that the pairs of them repeat late."""
LEGEND: dict[str, Any] = {"loc": "outside upper center", "frameon": False, "columnspacing": 1.2, "handletextpad": 0.5,
                          "borderaxespad": 0.1}
STYLE: Any = {
    "font.size": 7.5, "axes.titlesize": 8.0, "axes.labelsize": 7.5, "axes.labelcolor": INK, "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0, "legend.fontsize": 7.0, "lines.linewidth": 1.3, "lines.markersize": 4.0,
    "hatch.linewidth": 0.6, "axes.edgecolor": MUTED, "axes.linewidth": 0.6, "grid.linewidth": 0.4,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "figure.constrained_layout.h_pad": 0.03, "figure.constrained_layout.w_pad": 0.03,
    "pdf.fonttype": 42,              # TrueType: submission systems refuse Type 3, which is the default
    "svg.fonttype": "path",          # the letters look the same wherever the file is opened
}


class Drawn(NamedTuple):
    """A figure and its caption."""

    figure: Figure
    caption: str


def styled() -> Any:
    """A context for drawing and saving figures."""
    look: Any = {**{key: svg.ON_PAPER.get(value, value) for key, value in svg.STYLE.items()}, **STYLE}
    return matplotlib.rc_context(look)


def new(height_in: float = 2.1, title: str = "") -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", facecolor=PAPER)
    axes = figure.add_subplot()
    if title:
        axes.set_title(title)
    return figure, axes


def save(figure: Figure, path: Path) -> list[Path]:
    """Write PATH.pdf and PATH.svg; the same figure gives the same bytes. Raises: OSError."""
    made = [path.with_name(f"{path.name}.{suffix}") for suffix in ("pdf", "svg")]
    with styled(), matplotlib.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(made[0], metadata={"CreationDate": None, "Creator": None, "Producer": None})
        figure.savefig(made[1], metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return made


def inline(drawn: Drawn, of: str) -> str:
    """The figure for the page: its text is text, and its colours follow the page."""
    with svg.styled():
        text = svg.inline(svg.Drawing(drawn.figure, f"Figure {of}: {drawn.caption}"))
    for place, name in enumerate(OF_ARMS):
        text = text.replace(light(place), f"color-mix(in srgb, var({svg.VARIABLES[name]}) 25%, var(--card))")
    for placeholder, colour in svg.ON_PAPER.items():
        text = text.replace(colour, f"var({svg.VARIABLES[placeholder]})")
    return text


def line_look(place: int) -> dict[str, Any]:
    """Of the arm at this place."""
    return {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)]}


def marker_look(place: int) -> dict[str, Any]:
    """Of the arm at this place; every other one is hollow."""
    colour = COLOURS[place % len(COLOURS)]
    return {"marker": MARKERS[place % len(MARKERS)], "markeredgecolor": colour, "markeredgewidth": 1.0,
            "markerfacecolor": PAPER if place % 2 else colour}


def fill_look(place: int) -> dict[str, Any]:
    """Of the arm at this place: a light colour with a hatch, so that text on it can be read."""
    return {"facecolor": light(place), "edgecolor": COLOURS[place % len(COLOURS)],
            "hatch": HATCHES[place % len(HATCHES)], "linewidth": 0.7}


def light(place: int) -> str:
    """The colour of the arm at this place, three quarters white."""
    red, green, blue = (0.25 * part + 0.75 for part in to_rgb(COLOURS[place % len(COLOURS)]))
    return to_hex((red, green, blue))


def legend(figure: Figure, handles: Sequence[Any], columns: int = 3) -> None:
    """Above the axes, if there is something to tell apart."""
    if len(handles) > 1:
        figure.legend(handles=handles, ncols=min(columns, len(handles)), **LEGEND)


def metric_axis(axes: Axes, key: str, way: str = "y", better: str = "") -> None:
    """The label of a metric: its name and unit. better: what is, for an arrow."""
    arrow = {"higher": " (higher is better)", "lower": " (lower is better)"}.get(better, "")
    axes.set(**{f"{way}label": label(key) + arrow})
    axis = axes.yaxis if way == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def scaled(value: float, key: str) -> float:
    """A figure in the unit in which it is shown."""
    return value * unit_of(key).scale


def nothing(title: str) -> Drawn:
    """A figure that says that there is nothing to show."""
    figure, axes = new(1.2, title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no valid run", ha="center", va="center", color=MUTED)
    return Drawn(figure, "There is no valid run to show.")
