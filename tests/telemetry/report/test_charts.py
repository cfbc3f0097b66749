"""The numbers that charts show, taken from what is drawn."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from swarm.core.protocol.spans import Span
from swarm.core.settings.launch_file import StreamOn
from swarm.telemetry.file_types import AgentPoint, SeriesRecord, StreamPoint
from swarm.telemetry.report import charts
from swarm.telemetry.report.over_time import edges, over_time
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.summary_types import FaultRecord
from tests.telemetry import paths

DEADLINE_MS = 100.0


def run_of(*spans: Span, at_s: list[float] | None = None, series: tuple[SeriesRecord, ...] = (),
           faults: tuple[FaultRecord, ...] = ()) -> Run:
    requests = paths.columns(*spans)
    if at_s is not None:
        requests["at_s"] = requests["due_s"] = np.array(at_s)
    run = Run(folder=Path(), requests=requests, series=list(series))
    stream = StreamOn(name="detect", on=["rover"], model="detector", rate_hz=5, deadline_s=DEADLINE_MS / 1e3)
    run.manifest.launch = msgspec.structs.replace(run.manifest.launch, streams=[stream])
    run.summary.faults = list(faults)
    return run


def axes_of(run: Run) -> list[Axes]:
    drawing = over_time(run)
    assert drawing is not None
    return drawing.figure.axes


def curves(run: Run, others: tuple[tuple[str, Run], ...] = ()) -> dict[str, Line2D]:
    drawing = charts.latency(run, "detect", others)
    assert drawing is not None
    return {str(line.get_label()): line for line in drawing.figure.axes[0].get_lines()}


def height(line: Line2D, at_ms: float) -> float:
    """Of a curve of steps."""
    x, y = map(np.asarray, line.get_data())
    before = np.searchsorted(x, at_ms, side="right")
    return float(y[before - 1]) if before else 0.0


def without_result() -> list[Span]:
    """Failed, lost and missed."""
    return [paths.expired(away=False), paths.span(ending="open", ended=None), paths.span(
        ending="missed", reason="agent", queued=None, started=None, finished=None, ended=None)]


def test_the_height_at_the_deadline_is_the_on_time_ratio() -> None:
    spans = [*(paths.span(n, ended=61 + n) for n in range(6)), paths.span(7, ended=130, ending="late"),
             paths.span(8, ended=131, ending="late"), *without_result()]
    run = run_of(*spans)
    line = curves(run)["all (8 of 11)"]
    assert height(line, 60.0) == 0.0
    assert height(line, 62.0) == pytest.approx(2 / 11)
    assert height(line, DEADLINE_MS) == pytest.approx(sum(s.ending == "completed" for s in spans) / len(spans))
    edge_ms = line.axes.get_xlim()[1]                        # type: ignore[union-attr]
    assert edge_ms > 131
    assert height(line, edge_ms) == pytest.approx(8 / 11)    # the gap to 1: what has no result
    assert line.get_drawstyle() == "steps-post"


def test_the_axis_of_shares_is_from_0_to_100_percent() -> None:
    for axes in (charts.latency(run_of(paths.span()), "detect").figure.axes[0],      # type: ignore[union-attr]
                 *axes_of(run_of(paths.span()))):
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] == pytest.approx(1, abs=0.05)
        axes.figure.canvas.draw()
        ticks = [tick.get_text() for tick in axes.get_yticklabels()]
        assert (ticks[0], ticks[-1]) == ("0%", "100%")


def test_an_origin_is_over_the_requests_that_went_its_way() -> None:
    run = run_of(*(paths.span() for _ in range(6)), paths.expired(away=False), *(paths.on_a_peer() for _ in range(6)),
                 *(paths.fell_back(guard=True) for _ in range(5)), paths.expired(away=True), without_result()[2])
    lines = curves(run)
    assert {"at home (6 of 7)", "on a peer (6 of 12)", "fell back (5 of 12)", "all (17 of 20)"} <= lines.keys()
    assert height(lines["on a peer (6 of 12)"], DEADLINE_MS) == 0.5
    assert height(lines["all (17 of 20)"], DEADLINE_MS) == 17 / 20


def test_a_stream_without_any_result_is_drawn_at_the_bottom() -> None:
    line = curves(run_of(*without_result()))["all (0 of 3)"]
    assert height(line, DEADLINE_MS) == 0.0
    assert charts.latency(run_of(paths.span()), "segment") is None


def test_another_run_is_over_its_own_frames() -> None:
    other = run_of(paths.span(), paths.expired(away=False))
    assert {"this run, all (1 of 1)", "run local, all (1 of 2)"} <= curves(
        run_of(paths.span()), (("local", other),)).keys()


def fault(done_s: float, ended_s: float | None = None) -> FaultRecord:
    return FaultRecord(at_s=done_s, kind="stop", target="rover_0", done_s=done_s, ended_s=ended_s)


def test_steps_are_cut_at_faults() -> None:
    cut = edges(run_of(paths.span(), faults=(fault(7.0, 12.0), fault(7.4), fault(19.9))), 20.0)
    assert {0.0, 7.0, 12.0, 20.0} <= set(cut)
    assert not {7.4, 19.9} & set(cut)                        # too near to another edge
    assert (np.diff(cut) > 0).all()
    assert np.diff(cut).max() < 8.0
    assert edges(run_of(paths.span()), 1e6).size < 100
    assert (np.diff(edges(run_of(paths.span()), 0.0)) > 0).all()


def test_a_step_is_completed_over_due_of_its_frames() -> None:
    """All on time until a fault at 10 s, then every other; nothing was due from 20 to 30 s."""
    at_s = [k + 0.5 for k in range(40) if not 20 <= k < 30]
    spans = [paths.span(k, ended=61 if at < 10 or k % 2 else 130, ending="completed" if at < 10 or k % 2 else "late")
             for k, at in enumerate(at_s)]
    (axes,) = axes_of(run_of(*spans, at_s=at_s, faults=(fault(10.0, 20.0), fault(30.0))))
    (steps,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    levels, edges_s, _ = steps.get_data()
    for edge in (10.0, 20.0, 30.0):
        assert edge in edges_s
    by_middle = dict(zip((edges_s[:-1] + edges_s[1:]) / 2, levels, strict=True))
    assert {level for at, level in by_middle.items() if at < 10} == {1.0}
    assert np.mean([level for at, level in by_middle.items() if 10 < at < 20]) == pytest.approx(0.5)
    assert all(np.isnan(level) for at, level in by_middle.items() if 20 < at < 30)
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [10.0, 30.0]        # type: ignore[index]


def test_below_are_predictions_and_load_where_the_folder_has_them() -> None:
    def point(due: int, mean_ms: float, predicted_ms: float | None, predicted_on_time: float) -> StreamPoint:
        return StreamPoint(due=due, ended=due, on_time=due, mean_ms=mean_ms, p95_ms=None, predicted_ms=predicted_ms,
                           predicted_p95_ms=None, predicted_on_time=predicted_on_time)

    series = tuple(SeriesRecord(
        at_s=float(k), agents={"rover_0": AgentPoint(busy=0.5, queue=2, links={}),
                               "carrier_0": AgentPoint(busy=1.0, queue=0, links={})} if k < 3 else {},
        streams={"rover_0/detect": point(1, 60.0, 50.0, 1.0), "rover_1/detect": point(3, 100.0, None, 0.5)})
        for k in (1, 2, 3))
    axes = axes_of(run_of(paths.span(), series=series))
    assert [one.get_ylabel() for one in axes] == ["on time", "mean, ms", "busy", "queue"]
    drawn = [[patch.get_data()[0].tolist() for patch in one.patches if isinstance(patch, StepPatch)] for one in axes]
    assert drawn[0][0] == [0.625] * 3                        # 1 frame at 1.0 and 3 at 0.5, predicted
    assert drawn[1] == [[50.0] * 3, [90.0] * 3]              # predicted, observed
    assert np.array_equal(drawn[2], [[1.0, 1.0, np.nan], [0.5, 0.5, np.nan]], equal_nan=True)    # carrier, rover
    assert np.array_equal(drawn[3], [[0.0, 0.0, np.nan], [2.0, 2.0, np.nan]], equal_nan=True)
    assert {tuple(patch.get_data()[1]) for patch in axes[2].patches if isinstance(patch, StepPatch)} == {(0, 1, 2, 3)}
    assert [one.get_ylabel() for one in axes_of(run_of(paths.on_a_peer()))] == ["on time", "offloaded"]
