"""The store hands out only what the card promises."""

import shutil
from pathlib import Path

import onnx
import pytest

from models.store import ARTEFACTS, ModelError, artefact, load_card, names

SHIPPED = [(name, variant) for name in names() for variant in load_card(name).variants]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped models, to be spoilt."""
    return Path(shutil.copytree(ARTEFACTS, tmp_path / "artefacts"))


def test_both_models_are_shipped_in_both_variants() -> None:
    expected = [(name, variant) for name in ("detector", "segmenter") for variant in ("fp32", "int8")]
    assert expected == SHIPPED


def test_the_shipped_files_are_small() -> None:
    assert sum(load_card(name).variants[variant].bytes for name, variant in SHIPPED) < 12e6


@pytest.mark.parametrize(("name", "variant"), SHIPPED)
def test_every_artefact_loads_on_the_oldest_runtime_we_support(name: str, variant: str) -> None:
    card, model = load_card(name), onnx.load(artefact(load_card(name), variant))
    assert model.ir_version == card.ir_version <= 10
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", card.opset)]
    assert 17 <= card.opset <= 21
    for value in [*model.graph.input, *model.graph.output]:
        assert all(side.dim_value > 0 for side in value.type.tensor_type.shape.dim)


@pytest.mark.parametrize("name", names())
def test_int8_keeps_the_accuracy(name: str) -> None:
    card = load_card(name)
    fp32, int8 = (card.variants[variant].metrics[card.primary_metric] for variant in ("fp32", "int8"))
    assert int8 >= fp32 - 0.01
    assert fp32 >= {"ap50": 0.80, "miou": 0.75}[card.primary_metric]


@pytest.mark.parametrize("name", names())
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


def test_an_unknown_model_lists_the_available() -> None:
    with pytest.raises(ModelError, match=r"model 'oracle': is not in .*; available: detector, segmenter"):
        load_card("oracle")
    with pytest.raises(ModelError, match="available: none"):
        load_card("detector", Path("/nowhere"))


def test_an_unknown_variant_lists_the_available() -> None:
    with pytest.raises(ModelError, match=r"has no variant 'fp64'; available: fp32, int8"):
        artefact(load_card("detector"), "fp64")


def test_an_altered_file_is_refused(copy: Path) -> None:
    path = copy / "detector" / "int8.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"int8.onnx: found sha256 \w{12}\.\.\.; the card expects \w{12}\.\.\."):
        artefact(load_card("detector", copy), "int8", copy)


def test_a_truncated_file_is_refused(copy: Path) -> None:
    path = copy / "detector" / "fp32.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"found \d+ bytes; the card expects \d+"):
        artefact(load_card("detector", copy), "fp32", copy)


def test_a_missing_file_is_said(copy: Path) -> None:
    (copy / "detector" / "fp32.onnx").unlink()
    with pytest.raises(ModelError, match="the file is missing"):
        artefact(load_card("detector", copy), "fp32", copy)


def test_a_card_may_not_point_out_of_its_folder(copy: Path) -> None:
    path = copy / "detector" / "card.json"
    path.write_text(path.read_text().replace('"fp32.onnx"', '"../segmenter/fp32.onnx"'))
    with pytest.raises(ModelError, match="plain file name"):
        artefact(load_card("detector", copy), "fp32", copy)


@pytest.mark.parametrize("spoil", [('"task"', '"job"'), ("{", ""), ('"detector"', '"defector"')])
def test_a_malformed_card_names_its_file(copy: Path, spoil: tuple[str, str]) -> None:
    path = copy / "detector" / "card.json"
    path.write_text(path.read_text().replace(*spoil, 1))
    with pytest.raises(ModelError, match=r"detector/card.json: "):
        load_card("detector", copy)
