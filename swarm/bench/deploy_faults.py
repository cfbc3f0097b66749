"""Faults of releases, boards, links and operators: what a board makes of each, and how soon it serves again."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from swarm.bench.deploy import bad, fleets
from swarm.bench.deploy.faults import CLOCKS, Faults
from swarm.telemetry.text_table import text_table

WHERE = "swarm bench deploy-faults"
BACK_WITHIN_S = 60.0
Row = dict[str, Any]


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """One board, fault after fault. Raises: BadInput without the privilege."""
    with fleets.rig(WHERE, progress) as rig:
        board = rig.add("rover_0")
        board.power_on()
        board.up()
        faults = Faults(rig, board, progress)
        assert faults.good() == "updated"
        rows = []
        for row in _rows(faults, progress):
            progress(f"{row['fault']}: {row['got']}")
            rows.append(row)
        return {"rows": rows, "as_expected": sum(row["got"] == row["expected"] for row in rows), "of": len(rows),
                "back_s_most": max(row["back_s"] or 0.0 for row in rows), "within_s": BACK_WITHIN_S}


def _rows(faults: Faults, progress: Callable[[str], None]) -> Iterator[Row]:
    yield _row("crash at start", "put back", *faults.operator_there(bad.runs("crash at start")), True)
    for name in bad.SCRIPTS:
        progress(name)
        yield _row(name, "put back", *faults.operator_gone(bad.runs(name)), False)
    yield _row("provider missing", "put back", *faults.operator_gone(bad.lacks_provider), False)
    yield _row("operator killed", "put back", *faults.operator_killed("crash at start"), False)
    yield _row("link cut", "put back", *faults.link_cut("hang"), False)
    yield _row("disk full", "refused", faults.disk_full(), None, True)
    yield _row("file altered on its way", "refused", faults.altered_on_its_way(), None, True)
    yield _row("file altered on the board", "updated", faults.altered_on_the_board(), None, True)
    yield _row("older release", "refused", faults.older(), None, True)
    for name, begins in CLOCKS.items():
        yield _row(name, "updated", faults.clock(begins), None, True)


def _row(fault: str, expected: str, got: str, back_s: float | None, operator_there: bool) -> Row:
    return {"fault": fault, "expected": expected, "got": got, "back_s": back_s, "operator_there": operator_there}


def as_text(figures: dict[str, Any]) -> str:
    headings = ("fault", "expected", "got", "back_s", "operator_there")
    return text_table(headings, [tuple(str(row[key]) for key in headings) for row in figures["rows"]]) + (
        f"{figures['as_expected']} of {figures['of']} as expected")
