"""The figures of an experiment, by kind."""

from __future__ import annotations

from pathlib import Path

from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.rows import Results
from swarm.experiments.results.figures import style
from swarm.experiments.results.figures.box import box
from swarm.experiments.results.figures.cdf import cdf
from swarm.experiments.results.figures.line import line
from swarm.experiments.results.figures.pareto import pareto
from swarm.experiments.results.figures.wins import wins
from swarm.experiments.results.words import cell_text

KINDS = {"line": line, "box": box, "wins": wins, "pareto": pareto}


def draw(figure: Figure, results: Results, folder: Path) -> style.Drawn:
    """One figure, which `check` has accepted. folder: of the experiment, with the run folders.

    Raises: BadInput if a run folder has no readable requests.
    """
    with style.styled():
        made = cdf(figure, results, folder) if figure.kind == "cdf" else KINDS[figure.kind](figure, results)
    caption = made.caption[0].upper() + made.caption[1:]
    where = cell_text(figure.where)
    return made._replace(caption=f"{caption} Only points with {where}." if where else caption)
