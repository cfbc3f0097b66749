"""What is cut off, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from swarm.experiments.as_text import as_text
from swarm.experiments.design.sweep import Sweep
from swarm.experiments.experiment import Experiment
from swarm.experiments.results import page, warmup
from swarm.experiments.store import Folder
from tests.experiments.files import TINY, write
from tests.experiments.results import fakes

COUNTS = {"points": 0, "valid": 0, "failed": 0, "not_run": 0, "flown": 0, "took_s": 0.0, "invalid_by": {},
          "folder": "out"}


@pytest.mark.parametrize(("spans_s", "cut", "told"), [
    ([0.0], ["on_time_ratio"], ""),
    ([2.0], ["on_time_ratio", "p95"],
     "the first 2 s of each run are cut from on_time_ratio and p95; lost and offload.share count the whole run"),
    ([2.0, 0.0, 0.5], ["on_time_ratio", "p95", "lost"],
     "each run's warm-up (0 to 2 s) is cut from on_time_ratio, p95 and lost; offload.share counts the whole run"),
    ([2.0], [],
     ("the first 2 s of each run are cut from no metric; on_time_ratio, p95, lost and offload.share count the whole "
      "run")),
    ([0.5], ["on_time_ratio", "p95", "lost", "offload.share"],
     "the first 0.5 s of each run are cut from on_time_ratio, p95, lost and offload.share"),
])
def test_terminal_and_page_say_what_is_cut_and_what_is_not(
    spans_s: Sequence[float], cut: list[str], told: str
) -> None:
    metrics = dict.fromkeys(("on_time_ratio", "p95", "lost", "offload.share"), "higher")
    made = msgspec.structs.replace(fakes.warmed(fakes.results(), *spans_s), metrics=metrics, cut=cut, comparisons=[])
    assert warmup.told(made) == told
    assert (told in as_text(made, COUNTS).splitlines()) == bool(told)
    assert dict(page.contents(made)["facts"])["warm-up"] == (told or "none is cut off")


def test_each_point_has_the_warm_up_of_its_own_launch(tmp_path: Path) -> None:
    path = write(tmp_path, set={**TINY, "duration_s": 3}, axes={"policy": ["local", "greedy"], "warmup_s": [0, 2]},
                 metrics={"p95": "lower", "lost": "lower", "streams.detect.on_time_ratio": "higher"})
    experiment = Experiment(path)
    rows = experiment.rows(Sweep(experiment.blocks([1]), [], repeats=0), Folder(tmp_path / "none"))
    assert [(row.cell["warmup_s"], row.warmup_s) for row in rows] == [(0, 0.0), (0, 0.0), (2, 2.0), (2, 2.0)]
    made = experiment.results(rows, "virtual", "", "", [])
    assert warmup.told(made) == ("each run's warm-up (0 to 2 s) is cut from p95 and streams.detect.on_time_ratio; lost "
                                 "counts the whole run")
