# pyright: reportMissingTypeStubs=false
"""Figures as inline SVG: text stays text, colours follow the page, nothing is loaded from elsewhere."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
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
    "svg.fonttype": "none", "svg.hashsalt": "swarm", "text.parse_math": False, "font.size": 9.0,
    "text.color": INK, "axes.labelcolor": MUTED, "axes.edgecolor": LINE, "axes.titlesize": 10.0,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.titlecolor": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.6,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "none",
    "axes.facecolor": "none", "legend.frameon": True, "legend.facecolor": PAPER, "legend.edgecolor": "none",
    "legend.framealpha": 0.85, "legend.fontsize": 8.5, "lines.linewidth": 1.7,
    "hatch.linewidth": 1.2,
}
WIDTH_IN = 5.0


def styled() -> Any:
    """A context for making figures and converting them to SVG."""
    return matplotlib.rc_context(STYLE)


def styled_on_paper() -> Any:
    """A context for making figures and saving them as separate files."""
    return matplotlib.rc_context({key: ON_PAPER.get(value, value) for key, value in STYLE.items()})


def new(height_in: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes, as wide as a card of the page."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.add_subplot()


def inline(figure: Figure, label: str, tips: Mapping[str, str] | None = None) -> str:
    """The figure as an SVG element without URLs, as wide as its container.

    label: text for screen readers; different for each figure of a page. tips: tooltips by the gid of an artist.
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", text, flags=re.S)
    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{html.escape(label)}">'
    text = re.sub(r"<svg\b[^>]*>", lambda _: head, text, count=1)
    for gid, tip in (tips or {}).items():
        text = text.replace(f'<g id="{gid}">', f"<g><title>{html.escape(tip)}</title>", 1)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    mark = f"f{zlib.crc32(label.encode()):x}-"           # two figures of a page must not share a clip path's name
    text = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{mark}{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{mark}", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return re.sub(r"\n\s*", "\n", text)
