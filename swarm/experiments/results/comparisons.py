"""The tables of comparisons: for people as Markdown and LaTeX, rounded by their intervals; for programs as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from swarm.experiments.design.points import shown
from swarm.experiments.design.rows import Comparison, Results
from swarm.experiments.results.point_table import Columns
from swarm.experiments.results.words import NONE, decimals, label, name_of, number, p_text, tick, unit_of
from swarm.telemetry.report.sections import Table

TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
       ">": r"\textgreater{}", "|": r"\textbar{}", "\N{INFINITY}": r"$\infty$", '"': r"\textquotedbl{}",
       **{letter: f"\\{letter}" for letter in "&%$#_{}"}}
"""What LaTeX reads as a command, as text. A minus before a number becomes one of mathematics."""


def columns(comparisons: Sequence[Comparison], axes: Sequence[str]) -> Columns:
    """All figures in full, one column each, for programs. axes: those of the cells."""
    of: dict[str, Callable[[Comparison], Any]] = {
        "metric": lambda c: c.metric, "better": lambda c: c.better,
        **{axis: lambda c, axis=axis: shown(c.cell[axis]) if axis in c.cell else "" for axis in axes},
        "arm": lambda c: c.arm, "against": lambda c: c.against, "n": lambda c: c.n, "mean_arm": lambda c: c.mean_arm,
        "mean_against": lambda c: c.mean_against, "difference": lambda c: c.difference,
        "low": lambda c: c.interval and c.interval[0], "high": lambda c: c.interval and c.interval[1],
        "p": lambda c: c.p, "p_adjusted": lambda c: c.p_adjusted, "ratio": lambda c: c.ratio, "won": lambda c: c.won,
        "verdict": lambda c: c.verdict,
    }
    return {name: [take(one) for one in comparisons] for name, take in of.items()}


def cell_axes(results: Results) -> list[str]:
    """The names of all axes but the compared one."""
    return [axis for axis in results.axes if axis != results.compared]


def fixed_axes(results: Results) -> list[str]:
    """The names of all axes that one of the comparisons has in its cell."""
    return results.axes if results.also else cell_axes(results)


def readable(comparisons: Sequence[Comparison], axes: Sequence[str]) -> Table:
    """The comparisons for people: every figure in its unit, rounded by its interval; `-` where there is none."""
    head = ["metric", *map(label, axes), "arm", "against", "seeds", "mean", "mean against", "difference",
            "95 % interval", "p", "p adjusted", "won", "verdict"]
    rows = [[label(c.metric), *(tick(c.cell[axis], axis) if axis in c.cell else NONE for axis in axes), c.arm,
             c.against, str(c.n), *figures_of(c), p_text(c.p), p_text(c.p_adjusted),
             NONE if c.won is None else f"{round(c.won * c.n)} of {c.n}", c.verdict] for c in comparisons]
    first = len(axes) + 3
    return Table(head, rows, range(first, first + 8))


def sentence(c: Comparison) -> str:
    """One comparison in words."""
    unit = unit_of(c.metric)
    _, _, difference, interval = figures_of(c)
    apart = f" {unit.apart}" if unit.apart else ""
    told = {"better": f"{c.arm} is better than {c.against}", "worse": f"{c.arm} is worse than {c.against}",
            "too few seeds": f"too few seeds to compare {c.arm} with {c.against}"}.get(
                c.verdict, f"no difference between {c.arm} and {c.against} is shown")
    figures = "" if c.difference is None else f": the difference is {difference}{apart}" + (
        f" (95 % interval {interval})" if c.interval else "")
    chance = "" if c.p is None else f"; p {_equals(c.p)}, adjusted {_equals(c.p_adjusted)}"
    return f"{name_of(c.metric)}: {told}{figures}{chance}."


def markdown(table: Table) -> str:
    rows = [[str(cell).replace("\\", r"\\").replace("|", r"\|") for cell in row] for row in [table.head, *table.rows]]
    rule = ["---:" if k in table.numbers else "---" for k in range(len(table.head))]
    return "".join(f"| {' | '.join(row)} |\n" for row in [rows[0], rule, *rows[1:]])


def latex(table: Table) -> str:
    """A tabular of the package booktabs, without the float around it."""
    kinds = "".join("r" if k in table.numbers else "l" for k in range(len(table.head)))
    lines = [" & ".join(tex(str(cell)) for cell in row) + r" \\" for row in [table.head, *table.rows]]
    return "\n".join(["% needs \\usepackage{booktabs}", rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", lines[0],
                      r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}", ""])


def tex(text: str) -> str:
    """Text as LaTeX shows it."""
    escaped = "".join(TEX.get(letter, letter) for letter in text)
    return re.sub(r"(?<![\w.)-])-(?=[\d$])", "$-$", escaped)


def figures_of(c: Comparison) -> tuple[str, str, str, str]:
    """Both means, the difference and its interval, with the decimals that the interval bears."""
    scale = unit_of(c.metric).scale
    places = None if c.interval is None else decimals((c.interval[1] - c.interval[0]) / 2.0 * scale)
    shown = [number(None if value is None else value * scale, places) for value in (c.mean_arm, c.mean_against)]
    difference = number(None if c.difference is None else c.difference * scale, places, "+")
    ends = NONE if c.interval is None else " to ".join(number(end * scale, places, "+") for end in c.interval)
    return shown[0], shown[1], difference, ends


def _equals(p: float | None) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"
