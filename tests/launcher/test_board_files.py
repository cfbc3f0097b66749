"""Boards from files: the classes that we ship, and boards that were measured elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from agents.ports import Part
from agents.runtime.sessions import Sessions, offer_of, read_offer
from agents.scheduling.memory.residency import Size
from models import store
from models.build.measure.board_file import Machine, measured_board
from models.profiles import FileProfile, ModelProfile, VariantProfile, slowed
from models.session import VERSION
from models.store import ARTEFACTS, ModelError
from swarm.core.protocol.messages import Member
from swarm.core.settings import yaml_text
from swarm.core.settings.boards import Board, FigureName
from swarm.core.settings.cards import RunTime, Variant
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile
from swarm.launcher.load import load_boards, load_launch
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Options, Resolved, dry_run
from tests.launcher.world import write_launch

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
SHIPPED = load_boards(Path(__file__).parents[2] / "launch" / "boards.yaml")
BOARD = "x: {speed: {fp32: 0.1, int8: 0.1}, power_w: 1, source: x, measured: "
NO_TIMES = ("{date: y, machine: m, runtime: r, threads: 1, providers: [cpu], models: {a: {b: {sha256: s, provider: cpu,"
            " whole: {load_ms: 1, memory_bytes: 1, run_time: {runs: 1, quantiles_ms: [3, 2]}}}}}}}")
SLOWER = 5.0                         # the measured board, than the host of the cards
ORIN = Machine(name="NVIDIA Jetson Orin Nano", power_mode="15W", clocks_mhz={"cpu policy0": 1497.6})


KEPT, PEAK = 3_000_000, 5_000_000


def taken(time: RunTime) -> FileProfile:
    time = slowed(time, 1 / SLOWER)
    return FileProfile(run_time=time, run_time_threads=time, p99_ms=1.0, spread=0.1, load_cold_ms=30.0,
                       load_warm_ms=9.0, memory_bytes=KEPT, peak_bytes=PEAK)


def profiled(name: str) -> ModelProfile:
    """As `swarm models profile` on a board that is slower than the host by one factor."""
    def variant(of: Variant) -> VariantProfile:
        return VariantProfile(sha256=of.sha256, whole=taken(of.run_time), stages=[taken(s.run_time) for s in of.stages])

    card = store.load_card(name, ARTEFACTS)
    return ModelProfile(model=name, board="mine", provider="cpu", runtime=VERSION, device="x", host="x", emulated=False,
                        threads=2, variants={key: variant(one) for key, one in card.variants.items()})


def written(folder: Path, *models: str) -> str:
    """The file of a measured board that is called orin_nano."""
    cards = {name: store.load_card(name, ARTEFACTS) for name in models}
    ran_on = {(name, key): "cpu" for name, card in cards.items() for key in card.variants}
    board = measured_board(SHIPPED["orin_nano"], "orin_nano", ORIN, cards, [profiled(name) for name in models], ran_on,
                           "2026-05-01 12:00:00")
    path = folder / "mine.yaml"
    path.write_text(yaml_text.dump({"orin_nano": board}, compact=True))
    return str(path)


def agent(resolved: Resolved) -> AgentFile:
    specs = process_specs(resolved, "x", LAUNCHER, "")
    return next(spec.settings for spec in specs if isinstance(spec.settings, AgentFile))


def test_every_figure_of_a_shipped_class_says_where_it_comes_from() -> None:
    for name, board in SHIPPED.items():
        there = {figure for figure in get_args(FigureName)
                 if figure not in ("overhead_ms", "idle_w") or getattr(board, figure)}
        assert set(board.figures) == there, name
    assert [name for name, board in SHIPPED.items() if board.origin_of("speed") == "measured"] == ["host"]


def test_classes_of_a_gpu_prefer_tensorrt_and_pay_for_each_run() -> None:
    on_gpu = {name for name, board in SHIPPED.items() if board.providers == ("tensorrt", "cuda")}
    assert on_gpu == {name for name in SHIPPED if name.endswith("_gpu")} == {
        name for name, board in SHIPPED.items() if board.overhead_ms}
    offered = read_offer(["segmenter"], SHIPPED["orin_nano_15w_gpu"], ARTEFACTS).times("segmenter", "fp32")
    card = store.load_card("segmenter", ARTEFACTS).variants["fp32"]
    assert offered.whole_s[10] == pytest.approx(0.6e-3 + card.run_time.p50_ms / 1e3 / 4.8, abs=1e-6)
    assert min(stage_s[0] for stage_s in offered.stages_s) >= 0.6e-3


def test_an_emulated_gpu_runs_on_the_processor_of_this_host_and_takes_the_time_of_its_class(tmp_path: Path) -> None:
    card = store.load_card("detector", ARTEFACTS)
    entry = msgspec.structs.replace(card.variants["int8"], providers=["tensorrt"], parent="", gate=None, stages=[])
    only_cpu = msgspec.structs.replace(card.variants["fp32"], providers=["cpu"])
    store.save_card(msgspec.structs.replace(card, variants={"trt": entry, "fp32": only_cpu}), tmp_path)
    (tmp_path / "blobs").symlink_to(ARTEFACTS / "blobs")
    board = SHIPPED["agx_orin_maxn_gpu"]
    offer = read_offer(["detector"], board, tmp_path)
    assert [profile.variant for profile in offer.announce()] == ["trt"]          # the other one may not run on a GPU
    assert set(Sessions(offer, board, tmp_path).providers()["detector", "trt"][1:]) == {"cpu"}
    assert offer.times("detector", "trt").whole_s[10] == pytest.approx(
        (board.overhead_ms + entry.run_time.p50_ms / board.speed["int8"]) / 1e3, abs=1e-6)
    with pytest.raises(ModelError, match="provider TensorrtExecutionProvider is not available"):
        read_offer(["detector"], msgspec.structs.replace(board, emulated=False), tmp_path)
    store.save_card(msgspec.structs.replace(card, variants={"fp32": only_cpu}), tmp_path)
    with pytest.raises(ModelError, match="detector: may run on cpu only; the board has tensorrt, cuda"):
        read_offer(["detector"], board, tmp_path)


def test_virtual_time_takes_classes_that_are_faster_than_this_host(tmp_path: Path) -> None:
    fleet = ["fleet.0.board=thor_maxn_gpu", "fleet.1.board=thor_maxn"]
    run = load_launch(Options(launch=str(write_launch(tmp_path)), assignments=fleet, clock="virtual"))
    assert set(run.launch.boards) == {"thor_maxn_gpu", "thor_maxn"}


def test_a_measured_board_takes_the_run_times_that_were_measured(tmp_path: Path) -> None:
    options = Options(launch=str(write_launch(tmp_path)), boards=[written(tmp_path, "detector")])
    run = load_launch(options)
    board = run.launch.boards["orin_nano"]
    assert (board.origin_of("speed"), board.origin_of("memory_mb")) == ("measured", "derived")
    assert "NVIDIA Jetson Orin Nano, 15W, measured 2026-05-01 12:00:00" in board.source
    assert board.speed == pytest.approx(dict.fromkeys(board.speed, 1 / SLOWER), rel=0.01)
    offer, measured = offer_of(agent(run)), profiled("detector").variants["int8"]
    assert offer.times("detector", "int8").whole_s == [ms / 1e3 for ms in measured.whole.run_time.quantiles_ms]
    assert offer.times("detector", "int8").stages_s == [
        [ms / 1e3 for ms in stage.run_time.quantiles_ms] for stage in measured.stages]
    assert offer.sizes()[Part("detector", "int8")] == Size(KEPT, PEAK, 9e-3)         # loads from the cache
    again = tmp_path / "again.yaml"
    again.write_text(dry_run(run))
    assert load_launch(Options(launch=str(again))) == run            # without the file: the launch has all of it


def test_a_model_that_was_not_measured_is_named(tmp_path: Path) -> None:
    options = Options(launch=str(write_launch(tmp_path)), boards=[written(tmp_path, "segmenter")])
    with pytest.raises(BadInput, match=r"board orin_nano: measured: detector was not, .*`swarm models profile"):
        load_launch(options)


@pytest.mark.parametrize(("text", "told"), [
    (None, "mine.yaml: No such file"),
    ("{", "mine.yaml: line 1"),
    ("[]", "not a map of boards"),
    ("x: {power_w: 1}", "x"),
    (f"{BOARD}{{date: y}}}}", "x.measured"),
    (f"{BOARD}{NO_TIMES}", "x.measured.models.a.b.whole.quantiles_ms: 2 values that are no quantiles"),
])
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch=str(write_launch(tmp_path)), boards=[str(path)]))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_times_of_more_threads_are_of_a_board_that_has_as_many() -> None:
    cards = {"detector": store.load_card("detector", ARTEFACTS)}
    two = msgspec.structs.replace(SHIPPED["orin_nano"], threads=2)
    board: Board = measured_board(two, "two", ORIN, cards, [profiled("detector")],
                                  {("detector", key): "cpu" for key in cards["detector"].variants}, "now")
    assert board.measured is not None
    assert (board.measured.threads, board.measured.models["detector"]["int8"].batches) == (2, {})


def test_a_file_of_boards_counts_before_the_boards_of_the_launch_file(tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(dry_run(load_launch(Options(launch=str(write_launch(tmp_path))))))        # it has all its boards
    run = load_launch(Options(launch=str(again), boards=[written(tmp_path, "detector")]))
    assert run.launch.boards["orin_nano"].measured is not None


@pytest.mark.parametrize(("change", "told"), [
    (("providers: [cpu]", "providers: [cuda, cpu]"), r"measured\.providers: cuda, cpu, and the board has cpu"),
    (("[3, 2]", f"[{', '.join(['1e300'] * 21)}]"), r"21 values that are no quantiles; 21 values of 0\.001 to 1e\+06"),
    (("runs: 1, quantiles_ms: [3, 2]", f"runs: -1, quantiles_ms: [{', '.join(['1'] * 21)}]"), r"\.runs: -1; 1 or more"),
])
def test_measured_times_that_no_board_has_are_refused(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    (tmp_path / "m.yaml").write_text((BOARD + NO_TIMES).replace(*change))
    with pytest.raises(BadInput, match=told):
        load_launch(Options(launch=str(write_launch(tmp_path)), boards=[str(tmp_path / "m.yaml")]))


def test_a_batch_of_a_billion_is_refused(tmp_path: Path) -> None:
    times = f"{{runs: 1, quantiles_ms: [{', '.join(['1'] * 21)}]}}"
    batches = f"{times}}}, batches: {{1000000000: {times}}}}}"
    (tmp_path / "m.yaml").write_text((BOARD + NO_TIMES).replace("{runs: 1, quantiles_ms: [3, 2]}}}", batches))
    with pytest.raises(BadInput, match=r"batches: 1000000000 inputs at once; 2 to \d+"):
        load_launch(Options(launch=str(write_launch(tmp_path)), boards=[str(tmp_path / "m.yaml")]))


def test_a_gpu_loads_no_faster_than_the_host() -> None:
    slow, fast = (read_offer(["segmenter"], SHIPPED[name], ARTEFACTS).profiles["segmenter"][0].load_s
                  for name in ("orin_nano_15w_gpu", "agx_orin_maxn_gpu"))
    assert slow == fast > 0.005
