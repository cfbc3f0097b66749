"""Points on a Ray cluster: the logic, on a made-up one. Whole sweeps on real ones: test_ray_sweeps.py."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic

import pytest

from swarm import cluster
from swarm.cluster import Failed, K, R, T
from swarm.core.settings.errors import BadInput
from swarm.experiments.experiment import Experiment
from swarm.experiments.workers import on_ray
from swarm.experiments.workers.flight import Flown, Task
from swarm.experiments.workers.local import Lost
from swarm.experiments.workers.on_ray import RayWorkers
from tests.experiments.files import sweep_file


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
    monkeypatch.setattr(on_ray, "fly", lambda task: Flown(id=task.id, took_s=1.0, files={}))
    return Cluster


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    experiment = Experiment(sweep_file(tmp_path_factory.mktemp("experiment")))
    points = [point for block in experiment.blocks([1, 2]) for point in block]
    return [Task(id=point.id, command="", resolved=experiment.launches.of(experiment.combination(point), point))
            for point in points]


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
    monkeypatch.setattr(on_ray, "_own_code", lambda: "of another revision")
    monkeypatch.delattr(on_ray, "fly")
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
    monkeypatch.setattr(on_ray, "contents_of", lambda models: {"model detector": "1", "model segmenter": "2"})
    workers = RayWorkers("10.0.0.1:6379", 1)
    workers.start(tasks[0])
    monkeypatch.setattr(on_ray, "_contents", lambda models: there)
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
