"""Models of the user on a robot: a peer makes the same of its input, and a task that fails ends its request alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.runtime.sessions import read_offer
from models import store
from models.build import importing
from models.build.describing import Described
from models.build.importing import import_file
from models.session import RunHandle
from swarm.core.policy.plan import Placement, Plan, StreamSpec
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import in_parts, of_parts
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import RunTime
from tests.agents.staged import hold
from tests.agents.test_agent import Stage
from tests.models.networks import KINDS, LABELS, classifier, of_a_row, saved, yolo8
from tests.patience import HANG_S

BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", emulated=False)
FRAME = (np.arange(72 * 96 * 3) % 251).astype(np.uint8).reshape(72, 96, 3)
SCAN = np.linspace(0.5, 6.0, 64, dtype=np.float32)
FAILING = """
from models.sensor_input import sensor_input
from swarm.core.protocol.world import Tensors, named_array

class Failing:
    def __init__(self, card):
        self.inputs = sensor_input(card)

    def preprocess(self, frame):
        if not frame.any():
            raise KeyError("nothing to see")
        return self.inputs.preprocess(frame)

    def postprocess(self, outputs):
        return Tensors([named_array("most", outputs[0])])

make = Failing
"""

BLOCKING = """
import os
import threading
from models.sensor_input import sensor_input
from swarm.core.protocol.world import Tensors, named_array

class Blocking:
    def __init__(self, card):
        self.inputs = sensor_input(card)

    def preprocess(self, frame):
        if threading.current_thread().name == "tasks" and os.path.exists("GATE"):
            open("GATE").read()                      # until the test closes it
        return self.inputs.preprocess(frame)

    def postprocess(self, outputs):
        return Tensors([named_array("most", outputs[0])])

make = Blocking
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with models of all tasks; nothing is measured."""
    monkeypatch.setattr(importing, "memory_bytes", lambda path: 1)
    monkeypatch.setattr(importing, "run_times",
                        lambda paths: dict.fromkeys(paths, RunTime(quantiles_ms=[1.0] * 21, runs=1)))
    (tmp_path / "failing.py").write_text(FAILING)
    (tmp_path / "blocking.py").write_text(BLOCKING.replace("GATE", str(tmp_path / "gate")))
    for name, network, task, labels in (
        ("yolo", yolo8(), "detect", LABELS), ("kinds", classifier(), "classify", KINDS),
        ("row", of_a_row("scan"), "tensors", ()), ("mine", yolo8(), str(tmp_path / "failing.py"), ()),
        ("waits", yolo8(), str(tmp_path / "blocking.py"), ()),
    ):
        path, named = saved(network, tmp_path / f"{name}.onnx", labels)
        import_file(path, name, {}, tmp_path / "store",
                    told=Described(task=task, labels=str(named) if labels else "", reading="", sensor=None))
    return tmp_path / "store"


@pytest.mark.parametrize(("model", "given"), [("yolo", FRAME), ("kinds", FRAME[10:31, 5:9]), ("row", SCAN)])
def test_what_a_peer_makes_of_the_input_equals_what_the_robot_makes_itself(
    folder: Path, model: str, given: np.ndarray[Any, Any]
) -> None:
    offer, sessions = hold([model], BOARD, folder)
    loaded = sessions.get(model, "fp32")
    sent = [tensor.copy() for tensor in offer.inputs(model, given)]
    assert offer.fits(model, "fp32", 0, sent)
    by_peer = loaded.run(sent, RunHandle())
    assert of_parts(*in_parts(by_peer)) == by_peer == loaded.run(given, RunHandle())


def test_a_model_without_a_task_is_no_offer(folder: Path) -> None:
    card = store.load_card("row", folder)
    store.save_card(msgspec.structs.replace(card, task=""), folder)
    with pytest.raises(store.ModelError, match="model 'row': has no task"):
        read_offer(["row"], BOARD, folder)


def test_a_task_that_raises_ends_its_requests_and_the_robot_goes_on(folder: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, models=str(folder), policy="local",
                  streams=[StreamSpec(name="look", model="mine", rate_hz=5.0, deadline_s=HANG_S)])
    try:
        stage.up()

        def ended() -> list[tuple[str, str]]:
            return [(e.span.ending, e.span.reason) for e in stage.got("launcher", msg.Ended)]

        def twice() -> bool:
            stage.sense_now()
            return len(ended()) >= 2

        stage.net.until(twice)
        assert set(ended()) == {("failed", "task")}
        code, errors = stage.end()
        assert code == 0
        assert "KeyError: 'nothing to see'" in errors
    finally:
        stage.close()


def test_while_a_task_blocks_heartbeats_and_other_requests_go_on(folder: Path, tmp_path: Path) -> None:
    stage = Stage(tmp_path, models=str(folder), board=msgspec.structs.replace(BOARD, executors=2), streams=[
        StreamSpec(name="waits", model="waits", rate_hz=10.0, deadline_s=1.0),
        StreamSpec(name="kinds", model="kinds", rate_hz=10.0, deadline_s=HANG_S)])
    placements = [Placement(agent="rover", stream="waits", variant="fp32", where=["mule"]),
                  Placement(agent="rover", stream="kinds", variant="fp32", where=["rover"])]
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def seen(until: Callable[[], bool]) -> None:
        def flies() -> bool:
            stage.planner.send("rover", msg.PlanNews(plan=Plan(epoch=1, lease_s=HANG_S, placements=placements)))
            stage.sense_now()
            return until()

        stage.net.until(flies)

    def ended(stream: str) -> int:
        return sum(e.span.stream == stream and e.span.ran_on == "rover" for e in stage.got("launcher", msg.Ended))

    gates: list[int] = []

    def waits() -> bool:
        """Whether the task waits for the gate to close."""
        try:
            gates.append(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    try:
        stage.up()
        stage.send(stage.peer, msg.Heartbeat(sequence=1))
        stage.send(stage.peer, stage.wait("mule", msg.Advert))       # the peer can do the same
        seen(waits)
        beats, others, own = len(stage.got("mule", msg.Heartbeat)), ended("kinds"), ended("waits")
        seen(lambda: (len(stage.got("mule", msg.Heartbeat)) > beats + 2 and ended("kinds") > others + 5
                      and ended("waits") > own))             # those that wait to be sent are run at home
        assert not stage.got("mule", msg.StageAsk)
        gate.unlink()
        os.close(gates.pop())
        seen(lambda: bool(stage.got("mule", msg.StageAsk)))
        assert stage.end()[0] == 0
    finally:
        stage.close()
