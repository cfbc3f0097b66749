# pyright: reportMissingTypeStubs=false
"""Figures as inline SVG: text stays text, colours follow the page, nothing is loaded from elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Placeholders: `inline` replaces them by variables of the page, so that one figure serves light and dark.
INK, MUTED, LINE, PAPER = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
SERIES = tuple(f"#0a0c0{i}" for i in range(1, 9))
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = SERIES
VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", PAPER: "--card",
             **{c: f"--c{i}" for i, c in enumerate(SERIES, 1)}}
LIGHT = {"--c1": "#0072b2", "--c2": "#dd8500", "--c3": "#00916b", "--c4": "#cc4a00", "--c5": "#b3528a",
         "--c6": "#56b4e9", "--c7": "#a08c00", "--c8": "#8a93a0"}
DARK = {"--c1": "#4da6e0", "--c2": "#f0a63a", "--c3": "#2ec498", "--c4": "#f5804a", "--c5": "#df93c1",
        "--c6": "#86cdf7", "--c7": "#d8c746", "--c8": "#79828e"}
"""Okabe and Ito (2008), a palette for colour-blind readers, darkened or lightened for contrast."""
ON_PAPER = {INK: "#26282b", MUTED: "#5c6066", LINE: "#d5d2ca", PAPER: "#ffffff",
            **{c: LIGHT[f"--c{i}"] for i, c in enumerate(SERIES, 1)}}
"""Colours of a figure in a separate file."""

STYLE: Any = {
    "svg.fonttype": "none", "path.simplify_threshold": 0.3, "text.parse_math": False,
    "font.sans-serif": "DejaVu Sans", "font.size": 9.0,
    "text.color": INK, "axes.labelcolor": MUTED, "axes.edgecolor": LINE, "axes.titlesize": 10.0,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.titlecolor": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.6,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "none",
    "axes.facecolor": "none", "legend.frameon": True, "legend.facecolor": PAPER, "legend.edgecolor": "none",
    "legend.framealpha": 0.85, "legend.fontsize": 8.5, "lines.linewidth": 1.7,
    "hatch.linewidth": 1.2,
}
WIDTH_IN = 5.0
SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def styled() -> Any:
    """A context for making figures and converting them to SVG."""
    return matplotlib.rc_context(STYLE)


def styled_on_paper() -> Any:
    """A context for making figures and saving them as separate files."""
    return matplotlib.rc_context({"svg.hashsalt": "paper", **{
        key: ON_PAPER.get(value, value) for key, value in STYLE.items()}})       # the same figure is the same file


def new(height_in: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes, as wide as a card of the page."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.add_subplot()


class Drawing(NamedTuple):
    """A figure with a text for screen readers, different for each figure of a page, and tooltips by gid of artist."""

    figure: Figure
    label: str
    tips: Mapping[str, str] = {}


def inline(drawing: Drawing) -> str:
    """The drawing as an SVG element without URLs, as wide as its container."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": drawing.label}):     # ids are unique on the page
        drawing.figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ElementTree.fromstring(buffer.getvalue())
    for defs in [child for child in root if child.find(f"{SVG}style") is not None]:
        root.remove(defs)                            # it would hold for the whole page
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)  # HTML knows no name spaces
        element.tail = None                          # the indentation
        if HREF in element.attrib:
            element.set("href", element.attrib.pop(HREF))
        if element.tag == "g" and (tip := drawing.tips.get(element.attrib.pop("id", ""))):
            title = ElementTree.Element("title")
            title.text = tip
            element.insert(0, title)
    root.attrib = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": drawing.label}
    text = ElementTree.tostring(root, encoding="unicode")
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
