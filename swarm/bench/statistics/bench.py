"""Coverage, false positives and foretold power of an experiment's statistics, on planted truth.

Differences are normal, skewed, heavy-tailed or correlated within runs, with 6, 10 and 20 seeds. Coverage: intervals of
a difference, of one policy's figure, and of experiments that stop when they are narrow. False positives: a policy
against itself, whole families under Holm, and `stop_when` with its looks. Power: seeds planned from a pilot, then
flown. Beside them, usual alternatives. Seeded: the figures repeat.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np

from swarm.bench.statistics.planted import distributions
from swarm.bench.statistics.references import interval_references, pooled_references, two_valued_rows
from swarm.bench.statistics.trials import BARS, SEEDS, Row, family_rows, interval_rows, power_rows, stop_rows
from swarm.core.protocol.bounds import Seed
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check
from swarm.telemetry.text_table import text_table

NEEDS = ("scipy",)
TRIALS, LEAST_TRIALS, MOST_TRIALS = 10_000, 100, 1_000_000
SEED = 1

Figures = dict[str, Any]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--trials", type=int, metavar="N", default=TRIALS,
                   help=f"experiments of each distribution and number of seeds; default: {TRIALS}")
    p.add_argument("--seed", type=int, metavar="N", default=SEED, help=f"seed of these experiments; default: {SEED}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for an invalid number of trials or seed."""
    if not LEAST_TRIALS <= given.trials <= MOST_TRIALS:
        raise BadInput("--trials", f"{given.trials}", f"from {LEAST_TRIALS} to {MOST_TRIALS}")
    check(given.seed, Seed, "--seed")
    return measure(given.trials, given.seed, progress)


def measure(trials: int, seed: int, progress: Callable[[str], None]) -> Figures:
    """Rows by figure, and whether all meet their bars; `reference`: rows that need not."""
    rng = np.random.default_rng(seed)
    rows, references = list[Row](), list[Row]()
    for planted in distributions():
        for tried in (interval_rows, family_rows, stop_rows, power_rows):
            progress(f"{planted.name.replace('_', ' ')}: {tried.__name__.partition('_')[0]}")
            rows += tried(planted, trials, rng)
        progress(f"{planted.name.replace('_', ' ')}: references")
        references += interval_references(planted, trials, rng)
    references += pooled_references(trials, rng)
    ours, plain = two_valued_rows(trials, rng)
    rows.append(ours)
    references.append(plain)
    by_figure = {figure: [_as_dict(row) for row in rows if row.figure == figure] for figure in BARS}
    return {"met": all(row.met for row in rows), "trials": trials, "seed": seed, **by_figure,
            "reference": [_as_dict(row) for row in references]}


def _as_dict(row: Row) -> Figures:
    """With the figure as the key of its share."""
    told = msgspec.structs.asdict(row)
    figure, foretold = told.pop("figure"), told.pop("foretold")
    more = {"foretold": foretold} if figure == "power" else {}
    return {"of": told.pop("of"), "truth": told.pop("truth"), "seeds": told.pop("seeds"), figure: told.pop("value"),
            **more, **told, "met": row.met}


def as_text(figures: Figures) -> str:
    """A table per figure: a row per distribution, a column per number of seeds."""
    titles = {"coverage": "coverage of 95 % intervals, from {:.3f} to {:.3f}",
              "false_positive": "false positives at 5 %, at most {1:.3f}",
              "power": "power of plans for 80 %, of what was foretold: apart by at most {1:.2f}; seeds: of the pilot"}
    text = [f"{titles[figure].format(*BARS[figure])}\n{_table(figures[figure])}" for figure in BARS]
    text.append(f"usual alternatives, which need not meet the bars\n{_table(figures['reference'])}")
    errors = {figure: max(row["error"] for row in figures[figure]) for figure in BARS}
    told = ", ".join(f"{figure.replace('_', ' ')} {error:.4f}" for figure, error in errors.items())
    return "\n".join([*text, f"largest standard error of these shares: {told}",
                      "all bars are met" if figures["met"] else "a bar is not met"])


def _table(rows: Iterable[Figures]) -> str:
    lines: dict[tuple[str, str], dict[float, str]] = {}
    for row in rows:
        value = next(row[figure] for figure in BARS if figure in row)
        cell = f"{value:.3f}" + (f" of {row['foretold']:.3f}" if "foretold" in row else "")
        lines.setdefault((row["of"], row["truth"].replace("_", " ")), {})[row["seeds"]] = \
            cell + ("" if row["met"] else " !")
    header = ("", "truth", *(f"{n} seeds" for n in SEEDS), "seeds added")
    return text_table(header, [
        (*of, *(cells.pop(n, "") for n in SEEDS), " ".join(f"{cell} at {n:g}" for n, cell in cells.items()))
        for of, cells in lines.items()], right=range(2, 6))
