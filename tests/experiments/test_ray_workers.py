"""Points on a Ray cluster: the logic on a made-up cluster, and whole sweeps on real ones."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any, Generic

import psutil
import pytest

from swarm import cluster
from swarm.cluster import Failed, K, R, T
from swarm.core.settings.errors import BadInput
from swarm.experiments import ray_workers
from swarm.experiments.experiment import Experiment
from swarm.experiments.flight import Flown, Task
from swarm.experiments.ray_workers import RayWorkers
from swarm.experiments.workers import Lost
from tests.patience import HANG_S

ROOT = Path(__file__).parents[2]
FILE = """
version: 1
launch: patrol
set: {duration_s: 3, clock: virtual}
axes: {policy: [local, greedy], robots: [2, 4]}
seeds: 5
repeats: 0
metrics: {on_time_ratio: higher}
"""
POINTS = 20


class Made(Generic[K, T, R]):
    """A cluster whose calls end when a test says so: `result`, or the value of the function."""

    cpus = 2
    gone = ""
    joined: tuple[Any, ...] = ()
    left = False

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._calls: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def start(self, key: str, item: Any) -> None:
        self._calls[key] = item

    result: Failed | None = None

    def ended(self, timeout_s: float) -> list[tuple[str, Any]]:
        key = next(iter(self._calls))
        item = self._calls.pop(key)
        return [(key, self.result or self._function(pickle.loads(pickle.dumps(item))))]

    def cancel(self) -> None:
        self._calls.clear()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> type[Made[Any, Any, Any]]:
    class Cluster(Made[K, T, R]):
        """Of one test."""

    monkeypatch.setattr(cluster, "Calls", Cluster)
    monkeypatch.setattr(cluster, "join", lambda *given: setattr(Cluster, "joined", given))
    monkeypatch.setattr(cluster, "cpus", lambda: Cluster.cpus)
    monkeypatch.setattr(cluster, "gone", lambda: Cluster.gone)
    monkeypatch.setattr(cluster, "node", lambda: "10.0.0.7")
    monkeypatch.setattr(cluster, "disconnect", lambda: setattr(Cluster, "left", True))
    monkeypatch.setattr(ray_workers, "fly", lambda task: Flown(id=task.id, took_s=1.0, files={}))
    return Cluster


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    experiment = Experiment(_file(tmp_path_factory.mktemp("experiment")))
    points = [point for block in experiment.blocks([1, 2]) for point in block]
    return [Task(id=point.id, command="", resolved=experiment.launches.of(experiment.combination(point), point))
            for point in points]


def _file(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_as_many_points_fly_as_the_cluster_has_cpus_now(made: type[Made], tasks: list[Task]) -> None:
    workers = RayWorkers("10.0.0.1:6379", 1)
    assert workers.free == 2
    workers.start(tasks[0])
    workers.start(tasks[1])
    assert workers.free == 0
    made.cpus = 5                                    # a node has come
    assert workers.ended(0.0) == [Flown(id=tasks[0].id, took_s=1.0, files={})]
    assert workers.free == 4
    workers.start(tasks[0])
    workers.start(tasks[2])
    made.cpus = 1                                    # and gone
    workers.ended(0.0)
    assert workers.free == 0
    workers.close()
    assert made.left


def test_a_lost_call_is_a_lost_point_and_an_error_is_the_nodes(made: type[Made], tasks: list[Task]) -> None:
    workers = RayWorkers("10.0.0.1:6379", 1)
    workers.start(tasks[0])
    made.result = Failed("NodeDiedError: the node is dead", lost=True)
    assert workers.ended(0.0) == [Lost(tasks[0].id, "NodeDiedError: the node is dead")]
    workers.start(tasks[0])
    made.result = Failed("ModuleNotFoundError: no module swarm", lost=False, node="10.0.0.9")
    with pytest.raises(BadInput, match=r"--ray 10\.0\.0\.1:6379: node 10\.0\.0\.9: ModuleNotFoundError"):
        workers.ended(0.0)


@pytest.mark.usefixtures("made")
def test_a_node_with_other_code_is_refused_before_it_flies(tasks: list[Task], monkeypatch: pytest.MonkeyPatch) -> None:
    workers = RayWorkers("10.0.0.1:6379", 1)
    workers.start(tasks[0])
    monkeypatch.setattr(ray_workers, "_own_code", lambda: "of another revision")
    monkeypatch.delattr(ray_workers, "fly")
    with pytest.raises(BadInput, match=r"node 10\.0\.0\.7: it has other code; this installation's code"):
        workers.ended(0.0)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("there", "named"), [
    ({}, "model detector"), ({"model detector": "1", "model segmenter": "3"}, "model segmenter"),
    ({"model detector": "1", "model segmenter": "2", "plug-in policies/calm.py": "4"},
     r"plug-in policies/calm\.py")])
def test_a_node_with_other_models_or_plug_ins_is_refused(
    there: dict[str, str], named: str, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "contents_of", lambda models: {"model detector": "1", "model segmenter": "2"})
    workers = RayWorkers("10.0.0.1:6379", 1)
    workers.start(tasks[0])
    monkeypatch.setattr(ray_workers, "_contents", lambda models: there)
    with pytest.raises(BadInput, match=rf"node 10\.0\.0\.7: its {named} is another one, or missing"):
        workers.ended(0.0)


def test_plug_ins_hold_on_every_node(
    made: type[Made], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARM_PLUGINS", "mine:/shared/theirs")
    RayWorkers("local", 3)
    assert made.joined == ("local", 3, {"SWARM_PLUGINS": f"{tmp_path}/mine:/shared/theirs"})


def test_a_cluster_whose_head_is_gone_ends_the_sweep(made: type[Made], tasks: list[Task]) -> None:
    workers = RayWorkers("10.0.0.1:6379", 1)
    workers.start(tasks[0])
    made.gone = "10.0.0.1:6379: refused"
    with pytest.raises(OSError, match="the head of the cluster is gone") as caught:
        workers.ended(0.0)
    assert caught.value.filename == "--ray 10.0.0.1:6379"


def test_a_cluster_that_does_not_answer_is_bad_input() -> None:
    with pytest.raises(BadInput, match=r"--ray 127\.0\.0\.1:1: "):
        RayWorkers("127.0.0.1:1", 1)


class Node:
    """`ray start`, in a session of its own. address: of its cluster."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, "--num-cpus=1", "--block",
                   "--object-store-memory=80000000"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=environment, cwd=folder)
        self.address = ""
        hung, said = Timer(HANG_S, self.kill), ""
        hung.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if "ray start --address=" in line:
                self.address = line.split("'")[1]
            if "--block" in line:
                break
        else:
            raise AssertionError(said)
        hung.cancel()

    def titles(self) -> list[str]:
        return [" ".join(process.cmdline()) for process in _of_session(self.process.pid)]

    def kill(self) -> None:
        for process in _of_session(self.process.pid):
            process.kill()
        self.process.wait()


def _of_session(id: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a short name: sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="swarm-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environment() -> dict[str, str]:
    return os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex(), "PYTHONPATH": str(ROOT),
                         "RAY_USAGE_STATS_ENABLED": "0"}


def _sweep(folder: Path, environment: dict[str, str], ray: str, out: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.experiments.ray_sweep", str(_file(folder)), str(folder / out), ray],
        stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment, cwd=ROOT)


def _results(out: Path) -> list[tuple[str, str, list[str], dict[str, float]]]:
    """Of all lines of the journal, by id."""
    lines = map(json.loads, (out / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    return sorted((line["id"], line["error"], line["invalid"], line["values"]) for line in lines)


def _files(out: Path) -> dict[str, bytes]:
    """Of all points, but those that tell the time of day."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "points").rglob("*"))
            if path.is_file() and path.name != "manifest.json"}


@pytest.mark.long
@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_a_node_that_dies_in_mid_sweep_loses_no_point_and_doubles_none(
    folder: Path, environment: dict[str, str]
) -> None:
    head = Node(folder, environment, "--head", "--port=0", "--include-dashboard=false", f"--temp-dir={folder}/tmp")
    other = None
    try:
        other = Node(folder, environment, f"--address={head.address}")
        sweep = _sweep(folder, environment, head.address, "ray")
        lost, dead = 0, False
        assert sweep.stdout is not None
        for line in sweep.stdout:
            lost += line.startswith("lost ")
            if not dead and any(title.startswith("ray::_fly") for title in other.titles()):
                other.kill()
                dead = True
        assert sweep.wait() == 0
        assert dead
        assert lost >= 1
        assert not any("_fly" in title for title in head.titles())
        assert _of_session(sweep.pid) == []
    finally:
        head.kill()
        if other is not None:
            other.kill()
    local = _sweep(folder, environment, "none", "local")
    local.communicate()
    assert local.returncode == 0
    results = _results(folder / "ray")
    assert len(results) == len({id for id, *_ in results}) == POINTS
    assert results == _results(folder / "local")
    assert _files(folder / "ray") == _files(folder / "local")
    tables = [(folder / out / "points.parquet").read_bytes() for out in ("ray", "local")]
    assert tables[0] == tables[1]


@pytest.mark.long
@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_an_interrupted_sweep_leaves_nothing_of_its_ray_behind(folder: Path, environment: dict[str, str]) -> None:
    sweep = _sweep(folder, environment, "local", "ray")
    assert sweep.stdout is not None
    for line in sweep.stdout:
        if line.startswith("2 of "):
            assert len(_of_session(sweep.pid)) > 1
            os.killpg(sweep.pid, signal.SIGINT)      # as Ctrl-C
            break
    sweep.communicate(timeout=HANG_S)
    assert sweep.returncode == 130
    assert 2 <= len(_results(folder / "ray")) < POINTS
    assert _of_session(sweep.pid) == []
