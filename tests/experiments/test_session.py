"""One command on an experiment after another, with tiny runs in virtual time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.experiments import coordinator
from swarm.experiments import session as module
from swarm.experiments.experiment import Experiment
from swarm.experiments.results.bundle import bundle
from swarm.experiments.results.figures.draw import draw
from swarm.experiments.results.loading import load
from swarm.experiments.session import Session, Wishes
from swarm.experiments.store import Store
from swarm.experiments.workers.flight import Flown, Task, fly
from swarm.experiments.workers.local import Lost
from tests.experiments.files import TINY, journal, write
from tests.experiments.flights import Here, fly_all, planted
from tests.launcher.world import wait_until
from tests.patience import HANG_S

AXES = {"policy": ["local", "greedy"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a real run."""
    one = Experiment(write(tmp_path_factory.mktemp("base"), seeds=1))
    point = one.blocks([1])[0][0]
    return fly(Task(id=point.id, resolved=one.launches.of(one.combination(point), point), command="test")).files


def test_a_resumed_experiment_flies_only_what_is_new(tmp_path: Path) -> None:
    """Real runs: nothing, one more seed, then one more value."""
    path, out = write(tmp_path, axes=AXES, seeds=1), tmp_path / "out"
    ended, flown = fly_all(path, out)
    assert (ended.exit_code, len(flown), ended.figures["valid"]) == (0, 2, 2)
    again, none = fly_all(path, out, resume=True)
    assert (again.exit_code, none, again.results.rows) == (0, [], ended.results.rows)
    _, seed = fly_all(write(tmp_path, axes=AXES, seeds=2), out, resume=True)
    assert len(seed) == 2
    more, value = fly_all(write(tmp_path, axes={"policy": ["local", "greedy", "planner"]}, seeds=2), out, resume=True)
    assert {row.id for row in more.results.rows if row.arm == "planner"} == set(value)
    assert Counter(run["id"] for run in journal(out)) == dict.fromkeys([*flown, *seed, *value], 1)


def test_an_added_metric_is_read_from_the_kept_summaries(tmp_path: Path) -> None:
    path, out = write(tmp_path, axes=AXES, seeds=1), tmp_path / "out"
    fly_all(path, out)
    metrics = {"on_time_ratio": "higher", "lost": "lower", "streams.detect.on_time_ratio": "higher"}
    ended, flown = fly_all(write(tmp_path, axes=AXES, seeds=1, metrics=metrics), out, resume=True)
    assert flown == []
    for row in ended.results.rows:
        assert row.values["lost"] == 0.0
        assert (row.values["streams.detect.on_time_ratio"] or 0.0) > 0.0


@pytest.mark.parametrize("name", ["summary.json", "requests.parquet"])
def test_a_damaged_run_flies_again(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [{"name": "latency", "kind": "cdf"}]
    path, out = write(tmp_path, axes=AXES, seeds=1, figures=figures), tmp_path / "out"
    ended, flown = fly_all(path, out)
    damaged = out / "points" / flown[0] / name
    damaged.write_bytes(b"garbage " * 100)
    metrics = {"on_time_ratio": "higher", "lost": "lower"}
    path = write(tmp_path, axes=AXES, seeds=1, figures=figures, metrics=metrics)
    if name == "summary.json":
        assert main(["experiment", "power", str(path), "--out", str(out), "--difference", "0.1"]) == 2
        assert f"{damaged}: it cannot be read; a whole run folder; --resume" in capsys.readouterr().err
    again, flown_again = fly_all(path, out, resume=True)
    assert (again.exit_code, flown_again) == (0, flown[:1])
    assert all(row.values["lost"] is not None for row in again.results.rows)
    assert [row.values["on_time_ratio"] for row in again.results.rows] == [
        row.values["on_time_ratio"] for row in ended.results.rows]


def test_while_runs_are_on_there_are_no_results_of_before(tmp_path: Path, base: dict[str, bytes]) -> None:
    path, out = write(tmp_path, axes=AXES, seeds=1), tmp_path / "out"
    here = planted(base, lambda policy, seed: 0.5)
    fly_all(path, out, Here(here))
    before = (out / "experiment.yaml").read_text()

    def killed(task: Task) -> Flown:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fly_all(write(tmp_path, axes=AXES, seeds=2), out, Here(killed), resume=True)
    assert (out / "experiment.yaml").read_text() == path.read_text() != before
    for unfinished in (False, True):
        with pytest.raises(BadInput, match=r"it has no results\.json; .*--resume finishes one"):
            bundle(out, tmp_path / "x.tar.gz", unfinished)
    with pytest.raises(BadInput, match=r"it has no results\.json"):
        load(out)
    fly_all(path, out, Here(here), resume=True)
    assert bundle(out, tmp_path / "x.tar.gz").exists()


def test_a_refused_command_leaves_the_results_and_their_file(
    tmp_path: Path, base: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, here = write(tmp_path, axes=AXES), tmp_path / "out", planted(base, lambda policy, seed: 0.5)
    fly_all(path, out, Here(here))
    before = [(out / name).read_bytes() for name in ("experiment.yaml", "results.json")]
    monkeypatch.setattr(module, "code_hash", lambda: "another")
    with pytest.raises(BadInput, match="of other code"):
        fly_all(write(tmp_path, axes=AXES, seeds=1), out, Here(here), resume=True)
    assert [(out / name).read_bytes() for name in ("experiment.yaml", "results.json")] == before


def test_only_runs_of_this_file_and_code_are_counted_by_why_they_do_not_count(
    tmp_path: Path, base: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, here = write(tmp_path, axes=AXES), tmp_path / "out", planted(base, lambda policy, seed: 0.5)
    monkeypatch.setattr(coordinator, "invalid", lambda summary: ["busy: 3 s"])
    first, _ = fly_all(path, out, Here(here))
    fewer, _ = fly_all(write(tmp_path, axes=AXES, seeds=1), out, Here(here), resume=True)
    monkeypatch.setattr(module, "code_hash", lambda: "another")
    other, _ = fly_all(write(tmp_path, axes=AXES, seeds=1), out, Here(here), resume=True, rerun=True)
    assert [ended.figures["invalid_by"] for ended in (first, fewer, other)] == [{"busy": 4}, {"busy": 2}, {"busy": 2}]


def test_the_rows_are_the_same_whatever_the_number_of_workers(tmp_path: Path) -> None:
    path = write(tmp_path, axes=AXES)
    workers = Session(Experiment(path), tmp_path / "out2", Wishes(jobs=2), lambda text: None).run()
    ended = [fly_all(path, tmp_path / "out")[0], workers]    # the first in this process
    assert ended[0].results.rows == ended[1].results.rows
    assert ended[0].results.comparisons == ended[1].results.comparisons
    assert all(row.valid for row in ended[0].results.rows)


def test_results_of_other_code_are_never_mixed_in_silence(
    tmp_path: Path, base: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, here = write(tmp_path, axes=AXES), tmp_path / "out", planted(base, lambda policy, seed: 0.5)
    fly_all(path, out, Here(here))
    monkeypatch.setattr(module, "code_hash", lambda: "another")
    with pytest.raises(BadInput, match=r"4 of its runs are of other code .*--rerun to fly them again, or --keep"):
        fly_all(path, out, Here(here), resume=True)
    kept, flown = fly_all(path, out, Here(here), resume=True, keep=True)
    assert flown == []
    assert [note for note in kept.results.notes if "4 runs are of other code" in note]
    rerun, flown = fly_all(path, out, Here(here), resume=True, rerun=True)
    assert len(flown) == 4
    assert not [note for note in rerun.results.notes if "other code" in note]
    assert fly_all(path, out, Here(here), resume=True, rerun=True)[1] == []


def test_a_worker_that_is_lost_is_no_end_and_three_times_are_an_error(tmp_path: Path, base: dict[str, bytes]) -> None:
    fine, often = planted(base, lambda policy, seed: 0.5), Counter[str]()

    def frail(task: Task) -> Flown | Lost:
        often[task.id] += 1
        launch = task.resolved.launch
        if launch.policy == "greedy" and (launch.seed == 2 or often[task.id] == 1):
            return Lost(task.id, "its process ended with -9")
        return fine(task)

    ended, _ = fly_all(write(tmp_path, axes=AXES), tmp_path / "out", Here(frail))
    assert sorted(often.values()) == [1, 1, 2, 3]
    assert ended.exit_code == 1
    assert [(row.arm, row.seed, row.error) for row in ended.results.rows if row.error] == [
        ("greedy", 2, "its process ended with -9")]
    assert [row.valid for row in ended.results.rows if row.seed == 2] == [False, False]
    assert fly_all(write(tmp_path, axes=AXES), tmp_path / "out", Here(frail), resume=True)[1] == []
    again, flown = fly_all(write(tmp_path, axes=AXES), tmp_path / "out", Here(fine), resume=True, retry=True)
    assert (again.exit_code, again.figures["valid"], again.figures["failed"]) == (0, 4, 0)
    assert flown == [row.id for row in ended.results.rows if row.error]


def test_seeds_are_added_until_the_interval_is_narrow(tmp_path: Path, base: dict[str, bytes]) -> None:
    path = write(tmp_path, axes=AXES, seeds=8, stop_when={
        "metric": "on_time_ratio", "half_width": 0.008, "batch": 4, "most_seeds": 40})
    narrow = planted(base, lambda policy, seed: 0.5 + (policy == "greedy") * (0.01 + 0.02 * (seed < 5)))
    ended, flown = fly_all(path, tmp_path / "out", Here(narrow))
    seeds = ended.figures["seeds"]
    assert 8 < seeds < 40
    assert len(flown) == 2 * seeds
    assert f"{seeds - 8} seeds were added until the intervals were narrow enough" in ended.results.notes
    again, none = fly_all(path, tmp_path / "out", Here(narrow), resume=True)
    assert (none, again.results.rows) == ([], ended.results.rows)


def test_intervals_that_stay_wide_are_told_when_the_seeds_run_out(tmp_path: Path, base: dict[str, bytes]) -> None:
    path = write(tmp_path, axes=AXES, seeds=6, stop_when={
        "metric": "on_time_ratio", "half_width": 0.001, "batch": 2, "most_seeds": 8})
    wide = planted(base, lambda policy, seed: 0.5 + 0.05 * seed * (policy == "greedy"))
    ended, _ = fly_all(path, tmp_path / "out", Here(wide))
    assert ended.figures["seeds"] == 8
    assert ended.results.notes[-1] == (
        "2 seeds were added; most_seeds was reached: 1 interval of on_time_ratio is wider than 0.001 on each side")


def test_a_half_width_without_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, axes=AXES, seeds=6, stop_when={"metric": "on_time_ratio", "half_width": 0.001})
    path.write_text(path.read_text().replace("0.001", ".inf"))
    with pytest.raises(BadInput, match=r"stop_when\.half_width"):
        Experiment(path)


@pytest.mark.parametrize(("keys", "told"), [
    ({"seeds": 1}, "1 seed cannot show a difference: at least 6 can, in 1 comparison"),
    ({"seeds": 6, "metrics": {"on_time_ratio": "higher", "lost": "lower"}},
     "6 seeds may not show a difference in any of 2 comparisons: at least 7 can, or fewer comparisons"),
    ({"seeds": 6}, ""),
])
def test_too_few_seeds_are_told(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    assert Experiment(write(tmp_path, axes=AXES, **keys)).too_few_seeds() == told


@pytest.mark.parametrize("figure", [{"kind": "cdf"}, {"kind": "box", "metric": "on_time_ratio"}])
def test_a_control_where_nothing_is_compared_is_drawn_beside_all_runs(tmp_path: Path, figure: dict[str, str]) -> None:
    path = write(tmp_path, seeds=1, control=True, figures=[{"name": "both", **figure}])
    ended, _ = fly_all(path, tmp_path / "out")
    assert (ended.exit_code, ended.results.arms) == (0, ["all runs", "all runs (again)"])
    drawn = draw(Experiment(path).file.figures[0], ended.results, tmp_path / "out").figure
    told = [text.get_text() for text in [*(drawn.legends[0].get_texts() if drawn.legends else ()),
                                         *drawn.axes[0].get_xticklabels()]]
    assert set(told) >= {"all runs", "all runs (again)"}


def test_a_control_alone_has_no_interval_to_wait_for(tmp_path: Path) -> None:
    path = write(tmp_path, seeds=6, control=True, stop_when={"metric": "on_time_ratio", "half_width": 0.1})
    with pytest.raises(BadInput, match="stop_when: nothing is compared"):
        Experiment(path).rule()


def test_a_full_disk_ends_in_order_and_resume_goes_on(
    tmp_path: Path, base: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, here = write(tmp_path, axes=AXES), tmp_path / "out", planted(base, lambda policy, seed: 0.5)
    keep = Store.keep

    def full(self: Store, id: str, files: dict[str, bytes]) -> None:
        if len(self.ran) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "points")
        keep(self, id, files)

    monkeypatch.setattr(Store, "keep", full)
    ended, _ = fly_all(path, out, Here(here))
    assert ended.exit_code == 1
    assert "No space left on device; --resume goes on" in ended.error
    assert [row.waits for row in ended.results.rows].count(True) == ended.figures["not_run"] == 2
    monkeypatch.setattr(Store, "keep", keep)
    ended, flown = fly_all(path, out, Here(here), resume=True)
    assert (ended.exit_code, len(flown), ended.figures["valid"]) == (0, 2, 4)


def test_a_policy_that_raises_fails_its_points_with_file_and_line_and_the_rest_goes_on(
    tmp_path: Path, plug_in: Path
) -> None:
    path = write(tmp_path, set={**TINY, "streams.0.rate_hz": 5}, axes={"policy": ["local", "raising"]})
    ended, flown = fly_all(path, tmp_path / "out")
    assert (ended.exit_code, len(flown)) == (1, 4)
    errors = {row.seed: row.error for row in ended.results.rows if row.arm == "raising"}
    assert all(error.endswith(f"ZeroDivisionError: third at {plug_in}:11") for error in errors.values())
    assert all(row.values["on_time_ratio"] is not None and not row.valid and row.invalid
               for row in ended.results.rows if row.arm == "local")
    failed = next(row for row in ended.results.rows if row.error)
    logs = list((tmp_path / "out" / "points" / failed.id / "logs").iterdir())
    assert any("ZeroDivisionError" in log.read_text() for log in logs)


def test_ctrl_c_ends_with_130_and_resume_goes_on(tmp_path: Path) -> None:
    """With real processes."""
    path, out = write(tmp_path, axes=AXES, seeds=25), tmp_path / "out"
    command = [sys.executable, "-m", "swarm.cli.main", "experiment", "run", str(path), "--out", str(out), "--jobs", "1",
               "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (out / "journal.jsonl").exists() and len(journal(out)) > 0)
        process.send_signal(signal.SIGINT)
        said = msgspec.json.decode(process.communicate(timeout=HANG_S)[0])
        assert process.returncode == 130
    before = len(journal(out))
    assert 1 <= said["flown"] == before < 50
    assert (said["failed"], said["not_run"]) == (0, 50 - before)
    path = write(tmp_path, axes=AXES, seeds=max(1, before // 2))      # not all others: time
    ended, flown = fly_all(path, out, resume=True)
    assert ended.exit_code == 0
    assert set(Counter(run["id"] for run in journal(out)).values()) == {1}
    assert len(journal(out)) == before + len(flown)
