"""Outcomes of runs without running: by task, by stage, and the same again for the same view."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.ports import RunOrder
from agents.runtime.sessions import read_offer
from models.store import ModelError, load_card
from sim_worlds import scenarios
from sim_worlds.sensors.true_view import TrueView
from swarm.bench.support.rig import HOST
from swarm.cli.main import main
from swarm.core.protocol.spans import RequestId
from swarm.core.protocol.world import Detections, Mask, Pose
from swarm.core.settings.cards import crossing
from swarm.core.settings.process_files import RobotSpec
from swarm.virtual import perception, stamps
from swarm.virtual.perception import Perception, cell
from swarm.virtual.stamps import Views, stamped, write_stamp
from tests.launcher.world import write_launch

OFFER = read_offer(["detector", "segmenter"], HOST, None)


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def frame(views: Views) -> np.ndarray:
    fleet = [RobotSpec(name="a", kind="rover", physics="kinematic")]
    with scenarios.load("search_rescue").build(fleet, 3, render=False) as world:
        picture = stamped(world, views).observe("a", frame=True).frame
    assert picture is not None
    return picture


def order(given: object) -> RunOrder:
    return RunOrder(work=1, request=RequestId("a", 1, 1), given=given, frame=None)  # type: ignore[arg-type]


def test_a_run_whole_and_by_stages_on_a_peer_sees_the_same(views: Views, frame: np.ndarray) -> None:
    perception = Perception(OFFER, views, seed=3)
    for model, kind in (("detector", Detections), ("segmenter", Mask)):
        whole = perception.made(model, "int8", order(frame), None)
        assert isinstance(whole, kind)
        assert perception.made(model, "int8", order(OFFER.inputs(model, frame)), None) == whole
        given = frame
        stages = len(OFFER.cards[model].variants["int8"].stages)
        for stage in range(stages):
            given = perception.made(model, "int8", order(given), stage)
            if stage + 1 < stages:
                specs = crossing(OFFER.cards[model], "int8", stage + 1)
                assert [(t.dtype, list(t.shape)) for t in given] == [(spec.dtype, spec.shape) for spec in specs]
        assert given == whole


def test_the_view_of_a_frozen_camera_is_kept_as_long_as_it_is_asked_for(
    views: Views, frame: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "KEPT", 10)
    view = views.of(frame)
    assert view is not None
    first = frame.copy()
    write_stamp(first, views.add(view))
    for _ in range(30):
        views.add(view)
        assert views.of(frame) is view
    assert views.of(first) is None


def test_a_damaged_stamp_gives_an_empty_outcome(views: Views, frame: np.ndarray) -> None:
    perception = Perception(OFFER, views, seed=3)
    write_stamp(frame, 12345)
    assert perception.made("detector", "int8", order(frame), None) == Detections([])
    mask = perception.made("segmenter", "int8", order(frame), None)
    assert isinstance(mask, Mask)
    assert len(np.unique(mask.array())) == 1


def test_errors_last_while_the_view_is_alike_and_differ_by_seed_and_variant(
    views: Views, frame: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(seed: int, variant: str) -> list[float]:
        seen: list[float] = []
        made = Perception(OFFER, views, seed)
        monkeypatch.setitem(made._perceive, "detector", lambda variant, view, draw: seen.append(draw("x")))
        made.made("detector", variant, order(frame), None)
        return seen

    assert drawn(3, "int8") == drawn(3, "int8")
    assert len({*drawn(3, "int8"), *drawn(4, "int8"), *drawn(3, "fp32")}) == 3
    here = Pose(1.0, 2.0, 0.5)
    assert cell(here) == cell(Pose(1.05, 1.95, 0.55))
    assert len({cell(here), cell(Pose(1.6, 2.0, 0.5)), cell(Pose(1.0, 2.6, 0.5)), cell(Pose(1.0, 2.0, 0.9))}) == 4


def test_a_task_without_an_error_model_is_refused_by_name() -> None:
    card = msgspec.structs.replace(load_card("detector"), name="odd", task="listen")
    with pytest.raises(ModelError, match="model 'odd': task 'listen' has no error model, which virtual time needs; a mo"
                                         "del of classify, detect, segment, tensors, or clock: real"):
        perception.perceive(card)


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_launch_in_virtual_time_is_refused_before_it_starts(
    tmp_path: Path, more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(name: str) -> object:
        card = load_card(name)
        return msgspec.structs.replace(card, task="listen") if name == "detector" else card

    monkeypatch.setattr(perception, "load_card", without)
    words = ["launch", str(write_launch(tmp_path)), "--out", str(tmp_path / "out"), *more]
    assert main([*words, "--clock", "virtual"]) == 2
    said = capsys.readouterr().err
    assert said == ("swarm: model 'detector': task 'listen' has no error model, which virtual time needs; a model of "
                    "classify, detect, segment, tensors, or clock: real\n")
    assert not (tmp_path / "out").exists()
    assert main([*words, "--clock", "real", "--dry-run"]) == 0


def test_every_view_is_kept_until_many_newer_ones_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm.virtual.stamps.KEPT", 3)
    views, frames = Views(), []
    view = object.__new__(TrueView)
    for _ in range(5):
        frames.append(np.zeros((2, 8, 3), np.uint8))
        write_stamp(frames[-1], views.add(view))
    assert [views.of(frame) is view for frame in frames] == [False, False, True, True, True]
