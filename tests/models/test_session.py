"""Sessions run, can be ended from another thread, and fail in one clear line."""

import threading
from pathlib import Path

import numpy as np
import pytest

from models.session import Aborted, RunHandle, Session
from models.store import ModelError, artefact, load_card
from tests.patience import HANG_S

IMAGE = {"image": np.random.default_rng(3).integers(0, 256, (1, 72, 96, 3)).astype(np.uint8)}


@pytest.fixture(scope="module")
def heavy() -> Session:
    return Session(artefact(load_card("segmenter"), "fp32"))


def test_the_session_is_as_the_card_says(heavy: Session) -> None:
    card = load_card("segmenter")
    assert heavy.inputs == card.inputs
    assert heavy.outputs == card.outputs
    (classes,) = heavy.run(IMAGE)
    assert list(classes.shape) == card.outputs[0].shape


def test_a_run_aborted_from_another_thread_ends_and_the_session_stays_usable(heavy: Session) -> None:
    before = heavy.run(IMAGE)[0]
    handle, ended = RunHandle(), []

    def run_until_aborted() -> None:
        try:
            while True:
                heavy.run(IMAGE, handle)
        except Aborted:
            ended.append(True)

    thread = threading.Thread(target=run_until_aborted)
    thread.start()
    handle.abort()
    thread.join(timeout=HANG_S)
    assert ended == [True]
    assert (heavy.run(IMAGE)[0] == before).all()


def test_a_run_aborted_before_it_starts_does_not_start(heavy: Session) -> None:
    handle = RunHandle()
    handle.abort()
    with pytest.raises(Aborted):
        heavy.run(IMAGE, handle)


def test_aborting_a_finished_run_changes_nothing(heavy: Session) -> None:
    handle = RunHandle()
    heavy.run(IMAGE, handle)
    handle.abort()
    heavy.run(IMAGE)


def test_a_provider_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"TensorrtExecutionProvider is not available; this host has .*CPU"):
        Session(artefact(load_card("detector"), "int8"), on=("tensorrt", "cpu"))


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"x\.onnx: ONNX Runtime .* cannot load it"):
        Session(path)
    with pytest.raises(ModelError, match=r"y\.onnx: ONNX Runtime .* cannot load it"):
        Session(tmp_path / "y.onnx")
