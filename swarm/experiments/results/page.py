"""`experiment.html`: an experiment as one self-contained page. Its layout is in `templates/`, its look that of reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2

from swarm.experiments.design.analysis import paired
from swarm.experiments.design.points import cell_key, is_control
from swarm.experiments.design.rows import Comparison, PointRow, Results
from swarm.experiments.results import comparisons, warmup
from swarm.experiments.results.figures import style
from swarm.experiments.results.words import cell_text, count, figure, label, listed, name_of, number, tick, unit_of
from swarm.experiments.statistics.control import noise_floor
from swarm.telemetry.report import svg
from swarm.telemetry.report.sections import Marked, Table

MOST_ROWS = 300                      # of points and of comparisons; a longer table is for a program to read
MOST_SENTENCES = 12                  # comparisons that are told one by one; more are counted, and their table folded
MOST_REASONS = 8                     # that are told on top of the page
MOST_INVALID = 100                   # points without a result that counts which are listed
WORDS = (
    ("point", "One run: a cell, an arm and a seed."),
    ("cell", "One combination of the values of all axes but the compared one."),
    ("arm", "One value of the compared axis. The arms of a cell and a seed are a block: it is compared as a whole."),
    ("valid", """A point counts if it ran, and all points of its block did, on a host that kept up. A run is invalid
        by the faults of its host, never by its result. One invalid run takes its whole block out: to drop the bad runs
        of one arm only would be a lie."""),
    ("difference", """Arm - the arm against it, by seed: the pseudo-median (Hodges and Lehmann) of the differences. The
        run is the unit, never the request."""),
    ("95 % interval", "It holds the true difference with 95 %, also at few seeds."),
    ("p", """The chance of differences as large as these if the arms were alike (exact sign-flip test). Adjusted: over
        all comparisons of one axis (Holm). A verdict needs an adjusted p below 0.05 and at least 6 seeds."""),
    ("won", "Seeds in which the arm is ahead."),
    ("of all due", """A quantile over all frames that fell due: a frame without a result is infinitely late. `no
        result`: it lies beyond the last result. `-`: too few requests bear the figure."""),
)


def render(results: Results, drawn: Mapping[str, style.Drawn]) -> str:
    """The page. drawn: the figures by name."""
    return _templates().get_template("experiment.html").render(
        **contents(results), figures_drawn=[(name, style.inline(one, name), one.caption)
                                            for name, one in drawn.items()])


@cache
def _templates() -> jinja2.Environment:
    loaders = [jinja2.PackageLoader("swarm.experiments.results"), jinja2.PackageLoader("swarm.telemetry.report")]
    return jinja2.Environment(loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)


def contents(results: Results) -> dict[str, Any]:
    """All that the page says, as plain data."""
    axes = comparisons.fixed_axes(results)
    news = [one for one in results.every_comparison if not is_control(one.arm)]
    control = [one for one in results.comparisons if is_control(one.arm)]
    rows = results.rows
    bad = [row for row in rows if not row.valid]
    return {
        "title": results.name, "subtitle": _subtitle(results), "question": _question(results), "facts": _facts(results),
        "banners": _banners(results), "tiles": _tiles(rows),
        "sentences": _sentences(news) if len(news) <= MOST_SENTENCES else _tallies(news),
        "folded_comparisons": len(news) > MOST_SENTENCES, "comparisons": comparisons.readable(news[:MOST_ROWS], axes),
        "comparisons_left_out": max(0, len(news) - MOST_ROWS),
        "noise": _noises(results, control),
        "noise_table": comparisons.readable(control, axes), "invalid": _invalid(bad[:MOST_INVALID]),
        "invalid_left_out": max(0, len(bad) - MOST_INVALID), "points": _points(results, rows[:MOST_ROWS]),
        "points_left_out": max(0, len(rows) - MOST_ROWS), "words": WORDS, "light": svg.LIGHT, "dark": svg.DARK,
    }


def _subtitle(results: Results) -> str:
    cells = len({cell_text(row.cell) for row in results.rows})
    seeds = len({row.seed for row in results.rows})
    return (f"{number(len(results.rows), 0)} points · {count(cells, 'cell')} · {count(seeds, 'seed')} · "
            f"{results.clock} clock")


def _question(results: Results) -> str:
    metrics = listed([f"{name_of(metric)} ({better} is better)" for metric, better in results.metrics.items()])
    base, *others = [arm for arm in results.arms if not is_control(arm)] or [""]
    asked = {results.compared: (base, others)} if others else {}
    for one in results.also:
        axis = next((axis for axis in results.axes if axis not in one.cell), "")
        asked.setdefault(axis, (one.against, []))[1].append(one.arm)
    if not asked:
        return f"Nothing is compared: the figures of each run are {metrics}."
    told = "; ".join(f"{name_of(axis)}: {listed(list(dict.fromkeys(arms)))} against {base}"
                     for axis, (base, arms) in asked.items())
    return f"{told[:1].upper()}{told[1:]}, in {metrics}."


def _facts(results: Results) -> list[tuple[str, str]]:
    seeds = sorted({row.seed for row in results.rows})
    values = {axis: dict.fromkeys(tick(row.cell.get(axis), axis) for row in results.rows)
              for axis in comparisons.cell_axes(results)}
    whole = len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1))
    return [
        *((label(axis), ", ".join(there)) for axis, there in values.items()),
        ("seeds", f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))),
        ("warm-up", warmup.told(results) or "none is cut off"),
        ("clock", "virtual: run times are drawn from profiles, no model ran; each point can be repeated exactly"
         if results.clock == "virtual" else "real"),
        ("code revision", results.revision),
    ]


def _banners(results: Results) -> list[tuple[str, str, list[str]]]:
    """Kind, text and items."""
    told: list[tuple[str, str, list[str]]] = [("note", note, []) for note in results.notes]
    bad = [row for row in results.rows if not row.valid]
    if bad:
        why = Counter(reason for row in bad for reason in (
            [f"failed: {row.error}"] if row.failed else [row.error] if row.waits else row.invalid))
        most = why.most_common(MOST_REASONS)
        text = (f"{len(bad)} of {len(results.rows)} points do not count. With an invalid run its whole block was taken "
                "out, so that no arm loses only its bad runs.")
        reasons = [f"{reason}: {count(n, 'point')}" for reason, n in most]
        told.insert(0, ("bad", text, reasons + [f"{len(why) - MOST_REASONS} more reasons"] * (len(why) > MOST_REASONS)))
    return told


def _tiles(rows: Sequence[PointRow]) -> list[tuple[str, str, str]]:
    invalid = sum(not row.valid and not row.error for row in rows)
    counts = {"points": len(rows), "valid": sum(row.valid for row in rows), "invalid": invalid,
              "failed": sum(row.failed for row in rows)}
    counts |= {"not run": waiting} if (waiting := sum(row.waits for row in rows)) else {}
    return [(name, number(n, 0), "bad" if n and name not in ("points", "valid") else "") for name, n in counts.items()]


def _sentences(news: Sequence[Comparison]) -> list[str]:
    return [(f"{cell_text(one.cell)}: " if one.cell else "") + comparisons.sentence(one) for one in news]


def _tallies(news: Sequence[Comparison]) -> list[str]:
    """In how many cells each arm is better, and worse, in each metric."""
    verdicts: dict[tuple[str, str, str], Counter[str]] = {}
    for one in news:
        verdicts.setdefault((one.metric, one.arm, one.against), Counter())[one.verdict] += 1
    return [f"{name_of(metric)}: {arm} against {against}: "
            + ", ".join(f"{verdict} in {count(n, 'cell')}" for verdict, n in counts.most_common()) + "."
            for (metric, arm, against), counts in verdicts.items()]


def _noises(results: Results, control: Sequence[Comparison]) -> list[str]:
    """What an arm compared with itself shows, per metric and cell."""
    arms = [arm for one in control[:1] for arm in (one.against, one.arm)]
    pairs = {metric: paired(results.rows, arms, metric) for metric in dict.fromkeys(one.metric for one in control)}
    return [_noise(one, noise_floor(*pairs[one.metric][cell_key(one.cell), one.arm]).chance)
            for one in control]


def _noise(one: Comparison, chance: float | None) -> str:
    """chance: the difference that chance alone exceeds in 5 % of such comparisons at most."""
    unit = unit_of(one.metric)
    where = f" at {cell_text(one.cell)}" if one.cell else ""
    apart = f" {unit.apart}" if unit.apart else ""
    told = f"{name_of(one.metric)}{where}: {one.against} and itself differ by {comparisons.figures_of(one)[2]}{apart}"
    if chance is not None:
        told += (f"; chance alone makes a difference of more than {number(chance * unit.scale)}{apart} in 5 % of such "
                 "comparisons at most")
    unlike = " The two are not alike: no verdict of this experiment holds." * (one.verdict in ("better", "worse"))
    return f"{told}.{unlike}"


def _invalid(rows: Sequence[PointRow]) -> Table:
    made = [[cell_text(row.cell) or "-", row.arm or "-", str(row.seed),
             Marked("not run" if row.waits else "failed" if row.failed else "invalid", "bad"),
             row.error or "; ".join(row.invalid),
             row.folder or "-"] for row in rows]
    return Table(["cell", "arm", "seed", "", "why", "run folder"], made, (2,), (4,))


def _points(results: Results, rows: Sequence[PointRow]) -> Table:
    axes = comparisons.cell_axes(results)
    arm = [results.compared or "arm"] if results.compared or len(results.arms) > 1 else []
    head = [*map(label, axes), *arm, "seed", "counts",
            *map(name_of, results.metrics), "id", "command that runs it again"]
    made = [[*(tick(row.cell.get(axis), axis) for axis in axes), *([row.arm] if arm else []),
             str(row.seed), "yes" if row.valid else Marked("no", "bad"),
             *(figure(row.values.get(metric), metric) for metric in results.metrics), row.id[:8], row.command]
            for row in rows]
    first = len(axes) + len(arm)
    return Table(head, made, [first, *range(first + 2, first + 2 + len(results.metrics))])
