"""The store hands out only what the card promises."""

import shutil
from pathlib import Path

import msgspec
import onnx
import pytest

from models import store
from models.store import ARTEFACTS, BLOBS, ModelError, artefact, load_card, names
from swarm.core.settings.cards import BATCH_AXIS, network

SHIPPED = [(name, variant) for name in names(ARTEFACTS) for variant in load_card(name, ARTEFACTS).variants]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped models, to be spoilt."""
    return Path(shutil.copytree(ARTEFACTS, tmp_path / "artefacts"))


def file_of(folder: Path, name: str, variant: str) -> Path:
    return folder / BLOBS / f"{load_card(name, folder).variants[variant].sha256}.onnx"


def test_both_models_are_shipped_for_cpus_and_for_tensorrt_and_with_their_students() -> None:
    for name in ("detector", "segmenter"):
        assert {"fp32", "int8", "fp16", "int8_trt", "student_fp32", "student_int8", "small_fp32", "small_int8"} <= {
            variant for model, variant in SHIPPED if model == name}


def test_the_shipped_files_are_small() -> None:
    assert sum(load_card(name).variants[variant].bytes for name, variant in SHIPPED) < 30e6


@pytest.mark.parametrize("name", names(ARTEFACTS))
def test_each_student_is_much_faster_and_smaller_than_the_one_before(name: str) -> None:
    card = load_card(name)
    teacher, student, small = (card.variants[key] for key in ("int8", "student_int8", "small_int8"))
    for before, after in ((teacher, student), (student, small)):
        assert before.run_time.p50_ms >= 1.3 * after.run_time.p50_ms
        assert before.bytes > 1.3 * after.bytes
    assert student.metrics[card.primary_metric] >= teacher.metrics[card.primary_metric] - 0.01
    assert small.metrics[card.primary_metric] > 0.5


def test_of_the_detectors_networks_the_slower_is_the_more_accurate() -> None:
    card = load_card("detector")
    scores = [card.variants[key].metrics[card.primary_metric] for key in ("int8", "student_int8", "small_int8")]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3


def test_a_network_is_found_from_any_of_its_forms() -> None:
    card = load_card("detector")
    assert [network(card, key) for key in ("fp32", "int8", "student_int8", "small_fp32")] == [
        "fp32", "fp32", "student_fp32", "small_fp32"]
    assert card.variants["student_fp32"].teacher == "fp32"


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_every_artefact_loads_on_the_oldest_runtime_we_support(name: str, variant: str) -> None:
    card, model = load_card(name), onnx.load(artefact(load_card(name), variant))
    assert model.ir_version == card.ir_version <= 10
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", card.opset)]
    assert 17 <= card.opset <= 21
    for value in [*model.graph.input, *model.graph.output]:
        first, *others = value.type.tensor_type.shape.dim
        assert first.dim_param == BATCH_AXIS if card.variants[variant].batch > 1 else first.dim_value == 1
        assert all(side.dim_value > 0 for side in others)


@pytest.mark.parametrize("name", names(ARTEFACTS))
def test_int8_keeps_the_accuracy(name: str) -> None:
    card = load_card(name)
    fp32, int8 = (card.variants[variant].metrics[card.primary_metric] for variant in ("fp32", "int8"))
    assert int8 >= fp32 - 0.01
    assert all(card.variants[key].metrics[card.primary_metric] >= fp32 - 0.01 for key in ("fp16", "int8_trt"))
    assert fp32 >= {"ap50": 0.80, "miou": 0.75}[card.primary_metric]


@pytest.mark.parametrize("name", names(ARTEFACTS))
def test_the_card_describes_its_run_times_and_errors(name: str) -> None:
    card = load_card(name)
    for variant in card.variants.values():
        quantiles = variant.run_time.quantiles_ms
        assert len(quantiles) == 21
        assert quantiles == sorted(quantiles)
        assert variant.run_time.runs >= 200
        assert variant.memory_bytes > 0
        assert bool(variant.error_model) == (card.task == "detect")
        for row, following in zip(variant.error_model, variant.error_model[1:], strict=False):
            assert row.to_px == following.from_px


def test_every_shipped_file_is_on_a_card() -> None:
    carried = {load_card(name, ARTEFACTS).variants[variant].sha256 for name, variant in SHIPPED}
    carried |= {stage.sha256 for name, key in SHIPPED for stage in load_card(name, ARTEFACTS).variants[key].stages}
    assert {path.stem for path in (ARTEFACTS / BLOBS).iterdir()} == carried


def test_an_unknown_model_lists_the_available() -> None:
    with pytest.raises(ModelError, match=r"model 'oracle': is not in .*; available: detector, segmenter"):
        load_card("oracle")
    with pytest.raises(ModelError, match="available: none"):
        load_card("detector", Path("/nowhere"))


def test_an_unknown_variant_lists_the_available() -> None:
    with pytest.raises(ModelError, match=r"has no variant 'fp64'; available: fp16, fp32, int8, int8_trt"):
        artefact(load_card("detector"), "fp64")


def test_an_altered_file_is_refused_by_name(copy: Path) -> None:
    path = file_of(copy, "detector", "int8")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    told = rf"{path.name} \(detector int8\): found sha256 \w{{12}}\.\.\.; the card expects \w{{12}}"
    with pytest.raises(ModelError, match=told):
        artefact(load_card("detector", copy), "int8", copy)


def test_a_truncated_file_is_refused_by_name(copy: Path) -> None:
    path = file_of(copy, "detector", "fp32")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=rf"{path.name} \(detector fp32\): found \d+ bytes; the card expects \d+"):
        artefact(load_card("detector", copy), "fp32", copy)


def test_all_files_of_a_model_are_checked_those_of_stages_too(copy: Path) -> None:
    card = load_card("detector", copy)
    store.check(card, copy)
    path = copy / BLOBS / f"{card.variants['int8'].stages[2].sha256}.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=rf"{path.name} \(detector int8 stage 2\): found \d+ bytes"):
        store.check(card, copy)


def test_a_missing_file_is_said(copy: Path) -> None:
    file_of(copy, "detector", "fp32").unlink()
    with pytest.raises(ModelError, match=r"detector fp32\): the file is missing"):
        artefact(load_card("detector", copy), "fp32", copy)


def test_a_card_may_not_point_out_of_its_store(copy: Path) -> None:
    path = copy / "detector" / "card.json"
    sha256 = load_card("detector", copy).variants["fp32"].sha256
    path.write_text(path.read_text().replace(sha256, "../detector/card"))
    with pytest.raises(ModelError, match="is no sha256"):
        artefact(load_card("detector", copy), "fp32", copy)


@pytest.mark.parametrize("spoil", [('"task"', '"job"'), ("{", ""), ('"detector"', '"defector"')])
def test_a_malformed_card_names_its_file(copy: Path, spoil: tuple[str, str]) -> None:
    path = copy / "detector" / "card.json"
    path.write_text(path.read_text().replace(*spoil, 1))
    with pytest.raises(ModelError, match=r"detector/card.json: "):
        load_card("detector", copy)


def test_what_is_put_is_found_by_its_hash_once(tmp_path: Path) -> None:
    sha256, size = store.put(b"a graph", tmp_path)
    assert store.put(b"a graph", tmp_path) == (sha256, size) == (sha256, 7)
    assert [path.name for path in (tmp_path / BLOBS).iterdir()] == [f"{sha256}.onnx"]
    assert store.blob(sha256, size, tmp_path).read_bytes() == b"a graph"


def test_the_users_own_card_goes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path))
    shipped = load_card("detector")
    own = msgspec.structs.replace(shipped, variants={"fp32": shipped.variants["fp32"]})
    store.save_card(own)
    assert names() == ["detector", "segmenter"]
    assert load_card("detector") == own
    assert artefact(own, "fp32").parent == ARTEFACTS / BLOBS         # files are found in every store


@pytest.mark.parametrize("name", ["", "../x", "a/b", "blobs", ".hidden", "x" * 65])
def test_a_name_that_is_no_folder_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no name of a model"):
        store.save_card(msgspec.structs.replace(load_card("detector"), name=name), tmp_path)


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"Not a directory; a folder that can be written"):
        store.put(b"x", tmp_path / "file")


def test_what_no_card_bears_is_swept_away(copy: Path) -> None:
    card = load_card("detector", copy)
    store.save_card(msgspec.structs.replace(card, variants={"fp32": card.variants["fp32"]}), copy)
    orphans = store.put(b"nobody's", copy)[0], card.variants["int8"].sha256
    store.sweep(copy)
    left = {path.stem for path in (copy / BLOBS).iterdir()}
    assert not left & set(orphans)
    assert artefact(card, "fp32", copy).is_file()
    assert artefact(load_card("segmenter", copy), "int8", copy).is_file()
