"""Results of a made-up experiment, and run folders for them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings.experiment_file import Better
from swarm.experiments.design import contrasts
from swarm.experiments.design.analysis import comparisons
from swarm.experiments.design.rows import PointRow, Results
from swarm.telemetry import table
from swarm.telemetry.ledger import Row
from tests.telemetry import paths

DELAY = "links.rover:carrier.delay_ms"
METRICS: dict[str, Better] = {"on_time_ratio": "higher", "latency_ms.p95_all": "lower"}
DEADLINE_MS = 100.0


def results(arms: Sequence[str] = ("local", "planner"), robots: Sequence[int] = (4, 8), delays: Sequence[int] = (5, 50),
            seeds: int = 6, **changes: Any) -> Results:
    """The second arm is better at few robots and worse at a long delay; `on_time_ratio` says so."""
    rows = [
        _row(f"{len(arms)}{n}{delay}{seed}{k}", {"robots": n, DELAY: delay}, arm, seed,
             {"on_time_ratio": 0.8 + 0.002 * seed + k * (0.01 * seed + (0.1 if delay < 50 else -0.2)),
              "latency_ms.p95_all": math.inf if k == 0 and n == 8 and seed == 1 else 100.0 + n + seed - 9.0 * k})
        for n in robots for delay in delays for seed in range(1, seeds + 1) for k, arm in enumerate(arms)]
    made = Results(name="made_up", axes=["policy", "robots", DELAY], compared="policy", arms=list(arms),
                   metrics=METRICS, clock="virtual", revision="0123456789ab", rows=rows, comparisons=[],
                   cut=list(METRICS))
    return counted(msgspec.structs.replace(made, **changes))


def counted(of: Results) -> Results:
    """With the comparisons of its rows."""
    return msgspec.structs.replace(of, comparisons=comparisons(of.rows, of.arms, of.metrics))


def turned(of: Results, axis: str, arms: Sequence[str]) -> Results:
    """With the comparisons of a further axis."""
    return msgspec.structs.replace(of, also=contrasts.comparisons(
        of.rows, of.compared, [contrasts.Contrast(axis, list(arms))], of.metrics))


def warmed(of: Results, *warmups_s: float) -> Results:
    """Its runs have these warm-ups in turn."""
    rows = [msgspec.structs.replace(row, warmup_s=warmups_s[k % len(warmups_s)]) for k, row in enumerate(of.rows)]
    return msgspec.structs.replace(of, rows=rows)


def without(of: Results, seed: int, why: str = "the host was overloaded") -> Results:
    """The planner's run of this seed is invalid, in the first cell; its block is out."""
    first = of.rows[0].cell
    rows = [row if row.seed != seed or row.cell != first else msgspec.structs.replace(
        row, valid=False, invalid=[why if row.arm == "planner" else "another run of its block does not count"])
        for row in of.rows]
    return counted(msgspec.structs.replace(of, rows=rows))


def flown(folder: Path, of: Results) -> Results:
    """The results with a run folder for each point: two streams, of which `detect` misses some deadlines."""
    rows = [msgspec.structs.replace(row, folder=f"points/{row.id}") for row in of.rows]
    for row in rows:
        write_run(folder / row.folder, row.seed)
    return msgspec.structs.replace(of, rows=rows)


def write_run(run: Path, seed: int) -> None:
    """Ten frames of `detect`: one failed, one late; two of `map`, in time. Frames fall due every 0.1 s."""
    spans = [paths.span(k, ended=40 + 5 * k + seed) for k in range(8)]
    spans += [paths.span(8, ended=150, ending="late"), paths.expired(away=False)]
    maps = [paths.span(k, stream="map", deadline=400, ended=200 + 10 * k) for k in (10, 11)]
    run.mkdir(parents=True)
    table.write(run / "requests.parquet", [Row(span=one, at_s=0.1 * k, due_s=0.1 * k)
                                           for k, one in enumerate([*spans, *maps])])
    streams = {"detect": {"deadline_ms": DEADLINE_MS}, "map": {"deadline_ms": 400.0}}
    (run / "summary.json").write_text(json.dumps({"streams": streams, "seed": seed}))
    (run / "manifest.json").write_text(json.dumps({"swarm_run": 1}))


def _row(id: str, cell: dict[str, Any], arm: str, seed: int, values: dict[str, float | None]) -> PointRow:
    return PointRow(id=id.rjust(32, "0"), cell=cell, arm=arm, seed=seed, valid=True, values=values,
                    command=f"swarm launch patrol --seed {seed}")
