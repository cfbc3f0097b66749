"""Latency over results and over all due frames, counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from swarm.telemetry import table
from swarm.telemetry.figures.due import DueFrames, of_columns, of_rows
from swarm.telemetry.figures.latency import after_warmup, latency, on_time
from swarm.telemetry.ledger import Row
from swarm.telemetry.report.side_by_side import quantile, rows, share
from tests.telemetry import paths
from tests.telemetry.figures.frames import frames


def shed(results: int, without: int) -> DueFrames:
    """Results after 1, 2, ... ms, then frames without one; a frame falls due every 10 ms."""
    n = results + without
    made = frames(np.arange(n) / 100 + 0.2, np.arange(n) >= results)
    made.latency_s[:results] = np.arange(1, results + 1) / 1e3
    return made


def test_shed_work_makes_no_tail_look_better() -> None:
    all_there, some_shed = latency(shed(401, 0)), latency(shed(381, 20))
    assert (all_there.p50, all_there.p95, all_there.p99) == (201.0, 381.0, 397.0)
    assert (all_there.p95_all, all_there.p99_all) == (381.0, 397.0)
    assert (some_shed.p95, some_shed.p95_all, some_shed.p99_all) == (362.0, 381.0, None)
    assert some_shed.p95_all_interval == [372.0, None]
    assert some_shed.p99_all_interval == [None, None]


def test_a_quantile_that_too_few_bear_is_absent() -> None:
    few = latency(shed(71, 400))
    assert few.p50 == 36.0
    assert (few.p95, few.p95_interval) == (None, None)
    assert (few.p95_all, few.p95_all_interval) == (None, [None, None])       # enough frames, but no results there
    assert latency(shed(0, 0)).p50 is None


def test_the_share_on_time_has_its_interval() -> None:
    assert on_time(shed(8, 2)) == (0.8, pytest.approx([0.490162, 0.943318]))
    assert on_time(shed(0, 0)) == (0.0, None)


def test_frames_of_the_warm_up_are_cut() -> None:
    made = after_warmup(shed(300, 100), 2.5)
    assert (made.from_s, made.due, made.on_time_ratio) == (2.5, 150, round(50 / 150, 6))
    assert made.latency_ms.p50 == 275.5
    assert after_warmup(shed(10, 0), 1.0).due == 0


def test_frames_are_made_of_rows() -> None:
    """Submitted 5 ms after they fell due; of a lost request only the submission was heard."""
    lost = Row(span=paths.span(3, ending="open"), at_s=0.5, due_s=0.495)
    some = [Row(span=paths.span(1), at_s=2.0, due_s=1.995, ended_at_s=2.1), lost,
            Row(span=paths.span(2, ending="late", ended=130), at_s=1.0, due_s=0.995, ended_at_s=1.2)]
    made = of_rows(some, {})
    assert list(made.due_s) == pytest.approx([0.495, 0.995, 1.995])
    assert list(made.outcome) == ["lost", "late", "completed"]
    assert list(made.latency_s) == pytest.approx([np.inf, 0.13, 0.061])
    assert list(made.deadline_s) == pytest.approx([0.1] * 3)
    columns = table.arrays(some, table.empty())
    columns["deadline_ns"][1] = 0
    assert list(of_columns(columns, {"detect": 0.7}).deadline_s) == pytest.approx([0.7, 0.1, 0.1])


def test_text_tells_too_few_from_beyond() -> None:
    shown: dict[str, Any] = {
        "latency_ms": {"p50": 12.34, "p95": None, "p99_all": None, "p99_all_interval": [None, None]}}
    assert [quantile(shown, name) for name in ("p50", "p95", "p99_all")] == ["12.3 ms", "-", "no result"]
    assert share(0.9, [0.85, 0.9333]) == "90.0 % (85.0 to 93.3)"


def test_runs_are_compared_after_their_warm_up() -> None:
    kept = {"from_s": 3.0, "on_time_ratio": 0.9, "on_time_interval": [0.88, 0.92], "latency_ms": {"p50": 50.0}}
    summary = {"on_time_ratio": 0.1, "after_warmup": kept, "streams": {"detect": {"after_warmup": kept}}}
    told = dict(rows([summary]))
    assert told["warm-up, left out"] == "3 s"
    assert told["on time (95 % interval)"] == told["detect on time"] == "90.0 % (88.0 to 92.0)"
    assert told["latency p50"] == "50.0 ms"
