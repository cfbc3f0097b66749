"""How sessions come to be: the cache of optimised graphs, loads that are cancelled, providers, accounts of memory."""

import contextlib
import gc
import threading
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models import cache, providers, session
from models.session import LoadCancelled, LoadHandle, Session
from models.store import ARTEFACTS, ModelError, artefact, load_card, names
from tests.patience import HANG_S

SHIPPED = [(name, variant) for name in names(ARTEFACTS) for variant in load_card(name, ARTEFACTS).variants]
IMAGE = {"image": np.random.default_rng(3).integers(0, 256, (1, 72, 96, 3)).astype(np.uint8)}


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


def detector(variant: str = "int8") -> Path:
    return artefact(load_card("detector", ARTEFACTS), variant, ARTEFACTS)


@pytest.mark.parametrize(("name", "variant", "threads"), [
    pytest.param(*key, threads, marks=[] if key == ("detector", "int8") or (threads == 1 and key[0] == "detector")
                 else [pytest.mark.long]) for key in SHIPPED for threads in (1, 2)])
def test_outputs_are_the_same_bits_with_and_without_the_cache(name: str, variant: str, threads: int) -> None:
    path = artefact(load_card(name, ARTEFACTS), variant, ARTEFACTS)
    cold, warm = Session(path, threads), Session(path, threads)
    assert (cold.cached, warm.cached) == (False, True)
    assert (cold.inputs, cold.outputs) == (warm.inputs, warm.outputs)
    for ours, theirs in zip(cold.run(IMAGE), warm.run(IMAGE), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("spoil", [lambda content: content[:-9], lambda content: content[:-1] + b"\x07", lambda _: b""])
def test_a_damaged_entry_is_made_again(spoil: object, fresh_cache: Path) -> None:
    before = Session(detector()).run(IMAGE)
    (entry,) = fresh_cache.iterdir()
    entry.write_bytes(spoil(entry.read_bytes()))                     # pyright: ignore[reportCallIssue]
    again = Session(detector())
    assert not again.cached
    assert Session(detector()).cached
    assert [a.tobytes() for a in again.run(IMAGE)] == [b.tobytes() for b in before]


def test_an_entry_that_no_runtime_loads_is_made_again(fresh_cache: Path) -> None:
    Session(detector())
    (entry,) = fresh_cache.iterdir()
    entry.unlink()
    cache.put(entry.name.partition("-")[0], b"no graph at all")      # whole, as far as its hash tells
    assert not Session(detector()).cached
    assert Session(detector()).cached
    assert len(list(fresh_cache.iterdir())) == 1


def test_entries_are_told_apart_by_model_runtime_providers_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {cache.key("model", "1.32", "cpu"), cache.key("other", "1.32", "cpu"), cache.key("model", "1.23", "cpu"),
            cache.key("model", "1.32", "cuda")}
    monkeypatch.setattr(cache, "device", lambda: "another machine")
    keys.add(cache.key("model", "1.32", "cpu"))
    assert len(keys) == 5


def test_the_cache_is_bounded_and_the_oldest_go_first(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 25)
    for letter in "abc":
        cache.put(letter, letter.encode() * 10)
    assert cache.get("a") is None
    assert cache.get("c") is not None


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "file"))
    assert Session(detector()).run(IMAGE)
    assert "not cached: " in caplog.text


def test_a_full_temporary_folder_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "optimised.onnx").symlink_to("/dev/full")
    monkeypatch.setattr(session.tempfile, "TemporaryDirectory", lambda prefix: contextlib.nullcontext(tmp_path))
    assert Session(detector()).run(IMAGE)
    assert "not cached: " in caplog.text


class CancelledAt(LoadHandle):
    """Cancels itself when its step `k` begins."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.left = k

    def enter(self, step: object = None) -> None:
        self.left -= 1
        if self.left < 0:
            self.cancel()
        super().enter(step)                                          # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("k", range(4))
def test_a_load_cancelled_at_any_step_breaks_nothing(k: int, warm: bool, fresh_cache: Path) -> None:
    if warm:
        Session(detector())
    gc.collect()
    before = session.statistics()
    with pytest.raises(LoadCancelled):
        Session(detector(), handle=CancelledAt(k))
    gc.collect()
    assert session.statistics() == before
    assert not list(fresh_cache.glob("*.partial"))
    after = Session(detector())
    assert after.cached == (warm or k == 3)      # at step 3, the warm-up, the graph was whole and kept
    assert after.run(IMAGE)


def test_a_load_is_cancelled_within_the_optimiser() -> None:
    """The flag that `cancel` sets is heard by the runtime while it loads."""
    handle, options = LoadHandle(), ort.SessionOptions()
    handle.enter(options)
    handle.cancel()
    with pytest.raises(session.ort_errors.ModelLoadCanceled):
        ort.InferenceSession(str(detector("fp32")), options, providers=["CPUExecutionProvider"])


def test_loads_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, create = [], [], ort.InferenceSession

    def watched(*given: object, **named: object) -> ort.InferenceSession:
        inside.append(1)
        most.append(len(inside))
        made = create(*given, **named)                               # pyright: ignore[reportArgumentType]
        inside.pop()
        return made

    monkeypatch.setattr(session.ort, "InferenceSession", watched)
    threads = [threading.Thread(target=Session, args=(detector(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=HANG_S)
    assert most == [1, 1, 1, 1]


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_runtime_that_takes_another_provider_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "AVAILABLE", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"ONNX Runtime took CPUExecutionProvider; asked for CUDA"):
        Session(detector(), on=("cuda", "cpu"))


def test_the_order_is_the_boards_as_far_as_the_card_allows() -> None:
    assert providers.order(["tensorrt", "cuda", "cpu"], [], "m") == ("tensorrt", "cuda", "cpu")
    assert providers.order(["tensorrt", "cuda", "cpu"], ["cpu", "cuda"], "m") == ("cuda", "cpu")
    with pytest.raises(ModelError, match=r"m: may run on cpu only; the board has cuda"):
        providers.order(["cuda"], ["cpu"], "m")


def test_memory_is_accounted_while_a_session_lives() -> None:
    gc.collect()
    before = session.statistics()
    held = Session(detector("fp32"))
    assert held.memory_bytes >= detector("fp32").stat().st_size
    assert session.statistics() == (before.sessions + 1, before.memory_bytes + held.memory_bytes)
    del held
    gc.collect()
    assert session.statistics() == before


def test_a_graph_with_open_shapes_is_refused_by_name(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "open.onnx")
    with pytest.raises(ModelError, match=r"open\.onnx: tensor x: shape \['n', 3\] is not static"):
        Session(tmp_path / "open.onnx")


def test_a_load_for_a_gpu_that_fails_leaves_no_profile_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, there = tmp_path / "temporary", list[str]()
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(providers, "ort_names", lambda *_: ["CPUExecutionProvider"])
    monkeypatch.setattr(providers, "options", lambda *_: {})

    def fail(path: str, options: ort.SessionOptions, **_: object) -> None:
        profile = Path(options.profile_file_prefix)
        profile.write_text("[")
        there.append(profile.parent.parent.name)
        raise MemoryError

    monkeypatch.setattr(ort, "InferenceSession", fail)
    with pytest.raises(MemoryError):
        Session(detector(), on=("cuda",))
    assert there == ["temporary"]
    assert list(folder.iterdir()) == []
