"""The results of an experiment for a terminal."""

from __future__ import annotations

from typing import Any

from swarm.experiments.design.points import shown
from swarm.experiments.design.rows import Comparison, Results
from swarm.experiments.results import warmup
from swarm.telemetry.text_table import text_table

HEAD = ["metric", "where", "arm", "against", "seeds", "difference", "95 %", "p", "won", "verdict"]
MOST = 40                            # comparisons, and errors


def as_text(results: Results, figures: dict[str, Any]) -> str:
    """Comparisons, counts, and what a reader must know."""
    every = results.every_comparison
    shown_rows = every[:MOST]
    lines = [text_table(HEAD, [_row(one) for one in shown_rows]).rstrip()] if shown_rows else []
    if len(every) > MOST:
        lines.append(f"and {len(every) - MOST} more comparisons: see {figures['folder']}")
    not_run = f", {figures['not_run']} not run" * bool(figures["not_run"])
    lines.append(f"{figures['points']} points, {figures['valid']} valid, {figures['failed']} failed{not_run}; "
                 f"{figures['flown']} runs in {figures['took_s']:.0f} s")
    lines += [f"invalid runs: {count}: {reason}" for reason, count in figures["invalid_by"].items()]
    errors = dict.fromkeys(row.error for row in results.rows if row.failed)
    lines += [f"no result: {error}" for error in list(errors)[:MOST]]
    return "\n".join([*lines, *filter(None, [warmup.told(results)]), *results.notes, f"results: {figures['folder']}"])


def _row(one: Comparison) -> list[str]:
    interval = "-" if one.interval is None else f"{one.interval[0]:+.4g} to {one.interval[1]:+.4g}"
    where = ", ".join(f"{axis}={shown(value)}" for axis, value in one.cell.items())
    return [one.metric, where, one.arm, one.against, str(one.n), _number(one.difference, "+.4g"), interval,
            _number(one.p_adjusted, ".3g"), _number(one.won, ".0%"), one.verdict]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
