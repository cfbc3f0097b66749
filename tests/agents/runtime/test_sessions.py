"""The models of a robot: whole and in stages, with equal results; and loads in the background."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.runtime import sessions
from agents.runtime.loader import Loader
from agents.runtime.offer import LEAST_TRANSFER_BYTES, Offer, transfer_limits
from agents.runtime.sessions import Sessions
from models import profiles
from models.pipeline import Pipeline
from models.profiles import Times
from models.session import Aborted, LoadHandle, RunHandle, Session
from models.store import ModelError
from swarm.core.policy.plan import Leg
from swarm.core.protocol.wire import MAX_TENSOR_BYTES
from swarm.core.protocol.world import Detections
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import RunTime
from tests.agents.staged import STAGE_MS, STAGES, hold, run_leg, store_with_stages
from tests.patience import HANG_S

BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
GOLDEN = Path(__file__).parents[2] / "models" / "data" / "golden.npz"
FRAME: np.ndarray = max(np.load(GOLDEN)["images"], key=lambda image: image.std())    # one with much to see


def time(ms: float) -> RunTime:
    return RunTime(quantiles_ms=[ms] * 21, runs=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_with_stages(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Offer, Sessions]:
    return hold(["detector"], BOARD, folder, staged=True)


@pytest.fixture(scope="module")
def offer(both: tuple[Offer, Sessions]) -> Offer:
    return both[0]


@pytest.fixture(scope="module")
def held(both: tuple[Offer, Sessions]) -> Sessions:
    return both[1]


@pytest.mark.parametrize("cut", range(1, STAGES))
def test_any_partition_point_gives_the_result_of_the_whole_model(offer: Offer, held: Sessions, cut: int) -> None:
    detector = held.get("detector", "int8")
    whole = run_leg(detector, FRAME, Leg("a"))
    between = run_leg(detector, FRAME, Leg("a", 0, cut))
    assert isinstance(between, list)
    assert offer.fits("detector", "int8", cut, between)
    assert run_leg(detector, between, Leg("b", cut, STAGES)) == whole
    assert isinstance(whole, Detections)
    assert whole.boxes


def test_a_run_of_a_stage_can_be_aborted_like_one_of_the_whole(held: Sessions) -> None:
    handle = RunHandle()
    handle.abort()
    with pytest.raises(Aborted):
        held.get("detector", "int8").run(FRAME, handle)
    with pytest.raises(Aborted):
        held.get("detector", "int8").run_stage(FRAME, 0, handle)


def test_the_tensors_sent_from_home_are_the_models_input(offer: Offer, held: Sessions) -> None:
    detector = held.get("detector", "int8")
    tensors = offer.inputs("detector", FRAME)
    assert offer.fits("detector", "int8", 0, tensors)
    assert run_leg(detector, tensors, Leg("b")) == run_leg(detector, FRAME, Leg("a"))
    with pytest.raises(ValueError, match="must be uint8"):
        offer.inputs("detector", FRAME[1:])


def test_tensors_of_another_boundary_do_not_fit(offer: Offer, held: Sessions) -> None:
    between = run_leg(held.get("detector", "int8"), FRAME, Leg("a", 0, 2))
    assert isinstance(between, list)
    assert not offer.fits("detector", "int8", 1, [*between, between[0]])
    assert not offer.fits("detector", "int8", 2, [])
    assert not offer.fits("detector", "int8", 2, [t.astype(np.float64) for t in between])
    assert not offer.fits("detector", "int8", 2, [t[..., 1:] for t in between])
    assert not offer.fits("detector", "int8", STAGES + 1, between)
    assert offer.fits("unheard_of", "int8", 2, between)       # others say what is wrong with it


def test_transfers_are_limited_by_the_largest_input(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transfer_limits(offer) == (LEAST_TRANSFER_BYTES, 4 * LEAST_TRANSFER_BYTES)
    (profile,) = offer.announce()
    large = msgspec.structs.replace(profile, input_bytes=20 << 20)
    monkeypatch.setattr(offer, "profiles", {"detector": [large]})
    assert transfer_limits(offer) == (40 << 20, 160 << 20)
    monkeypatch.setattr(offer, "profiles", {"detector": [msgspec.structs.replace(profile, input_bytes=1 << 40)]})
    assert transfer_limits(offer)[0] == MAX_TENSOR_BYTES


def test_times_are_those_of_the_board_and_bytes_those_of_the_boundary(offer: Offer) -> None:
    (profile,) = offer.announce()
    assert [stage.p50_s for stage in profile.stages] == [pytest.approx(STAGE_MS / 1e3 / 0.5)] * STAGES
    assert profile.stages[0].input_bytes == profile.input_bytes == FRAME.nbytes
    by_stage = [times[10] for times in offer.times("detector", "int8").stages_s]
    assert by_stage == [pytest.approx(STAGE_MS / 1e3 / 0.5)] * STAGES


def test_a_board_has_its_threads_in_each_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    class Noted(Session):
        def __init__(self, path: Path, given: int, *rest: Any) -> None:
            threads.append(given)
            super().__init__(path, given, *rest)

    figures = Times(time(8.0), [time(1.0)] * STAGES, {})
    monkeypatch.setattr(profiles, "on_board", lambda card, *_: dict.fromkeys(card.variants, figures))
    monkeypatch.setattr(sessions, "Session", Noted)
    offer, _ = hold(["detector"], msgspec.structs.replace(BOARD, threads=3), folder, staged=True)
    assert offer.staged
    assert set(threads) == {3}
    assert len(threads) >= 1 + STAGES


def test_stages_are_loaded_later_in_a_thread_of_their_own(folder: Path) -> None:
    offer, later = hold(["detector"], BOARD, folder)
    assert offer.staged == []
    assert later.get("detector", "int8").stages is None
    assert len(offer.announce()[0].stages) == STAGES         # they can be planned with all the same
    came: queue.Queue[Pipeline] = queue.Queue()
    loader = Loader(fail=_not_expected)
    loader.start("detector", lambda handle: later.load_stages("detector", "int8", handle), came.put)
    later.adopt("detector", "int8", came.get(timeout=HANG_S))
    loader.close()
    assert isinstance(run_leg(later.get("detector", "int8"), FRAME, Leg("a", 0, STAGES)), Detections)


def test_a_failed_load_is_logged_and_a_cancelled_one_ends(caplog: pytest.LogCaptureFixture) -> None:
    loader = Loader(fail=_not_expected)
    begun: queue.Queue[LoadHandle] = queue.Queue()

    def broken(handle: LoadHandle) -> Pipeline:
        raise ModelError("stage 1", "is damaged")

    def endless(handle: LoadHandle) -> Pipeline:
        begun.put(handle)
        while True:
            handle.enter()

    loader.start("broken", broken, _not_expected)
    loader.start("endless", endless, _not_expected)
    begun.get(timeout=HANG_S)
    loader.close()                                           # returns: both threads have ended
    assert "broken cannot be loaded: stage 1" in caplog.text
    assert not any(thread.is_alive() for thread, _ in loader._loads)


def test_a_bug_in_a_load_is_handed_on() -> None:
    crashes: queue.Queue[BaseException] = queue.Queue()

    def bug(handle: LoadHandle) -> Pipeline:
        raise KeyError("a bug")

    Loader(fail=crashes.put).start("bug", bug, _not_expected)
    assert isinstance(crashes.get(timeout=HANG_S), KeyError)


def _not_expected(what: object) -> None:
    raise AssertionError(what)


def test_a_batch_gives_the_results_of_its_inputs_alone_and_none_for_a_misfit(
    offer: Offer, held: Sessions
) -> None:
    detector = held.get("detector", "int8")
    frames = np.load(GOLDEN)["images"]
    travelled = offer.inputs("detector", frames[1])
    alone = [detector.run(frame, RunHandle()) for frame in frames[:3]]
    assert detector.run_batch([frames[0], travelled, frames[2]], RunHandle()) == alone
    assert detector.run_batch([frames[0], frames[1][:5], frames[2]], RunHandle()) == [alone[0], None, alone[2]]
    assert detector.run_batch([frames[1][:5]] * 2, RunHandle()) == [None, None]
    handle = RunHandle()
    handle.abort()
    with pytest.raises(Aborted):
        detector.run_batch(frames[:2], handle)


def test_runs_of_several_are_known_as_far_as_they_pay(offer: Offer) -> None:
    (profile,) = offer.profiles["detector"]
    batches_s = offer.times("detector", "int8").batches_s
    assert profile.batch_s == [quantiles_s[10] for quantiles_s in batches_s]
    assert profile.batch_s[0] == profile.p50_s
    assert all(quantiles_s == sorted(quantiles_s) for quantiles_s in batches_s)
