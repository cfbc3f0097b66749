"""Writes what a finished experiment shows: tables, figures and the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design.rows import DRAWN_AS, FIGURES, Results
from swarm.experiments.results import arrow, comparisons, page, point_table, results_file
from swarm.experiments.results.figures import check, style
from swarm.experiments.results.figures.draw import draw
from swarm.telemetry.recorder import renamed


def write(folder: Path, results: Results, figures: Sequence[Figure]) -> list[Path]:
    """Write all files into the folder of the experiment; returns their paths, the page last.

    The same results and run folders give the same bytes. Tables and the page are there as a whole or not at all.
    In the folder `figures`, NAME.pdf, .svg and .txt together are a figure of ours, and deleted if `figures` has no such
    name. Any other file there is the user's, and stays.
    Raises: BadInput (a figure that cannot be drawn, a damaged run folder), OSError.
    """
    check.check(figures, check.facts_of(results), results.name)
    results = msgspec.structs.replace(results, figures=[figure.name for figure in figures])
    _delete_others(folder, results)
    table, axes = point_table.columns(results), comparisons.fixed_axes(results)
    readable = comparisons.readable(results.every_comparison, axes)
    texts = {
        "points.csv": point_table.as_csv(table),
        "comparisons.csv": point_table.as_csv(comparisons.columns(results.every_comparison, axes)),
        "comparisons.md": comparisons.markdown(readable), "comparisons.tex": comparisons.latex(readable),
    }
    made = [_whole(folder / results_file.NAME, lambda path: path.write_bytes(results_file.encoded(results))),
            _whole(folder / "points.parquet", lambda path: arrow.write(path, table)),
            *(_text(folder / name, text) for name, text in texts.items())]
    (folder / FIGURES).mkdir(exist_ok=True)
    drawn = {figure.name: draw(figure, results, folder) for figure in figures}
    for name, one in drawn.items():
        made += [*style.save(one.figure, folder / FIGURES / name),
                 _text(folder / FIGURES / f"{name}.txt", f"{one.caption}\n")]
    return [*made, _text(folder / "experiment.html", page.render(results, drawn))]


def _delete_others(folder: Path, results: Results) -> None:
    """The figures that an earlier file named, whatever is left of its results."""
    for caption in sorted((folder / FIGURES).glob("*.txt")):
        files = [caption.with_suffix(f".{suffix}") for suffix in DRAWN_AS]
        if caption.stem not in results.figures and all(file.is_file() for file in files):
            for file in files:
                file.unlink()


def _text(path: Path, text: str) -> Path:
    return _whole(path, lambda tmp: tmp.write_text(text, encoding="utf-8"))


def _whole(final: Path, write_to: Callable[[Path], object]) -> Path:
    renamed(final, write_to)
    return final
