"""Which variants a board runs, by the providers of its own and of the cards."""

from __future__ import annotations

import msgspec
import pytest

from agents.runtime.offer import Offer
from models import profiles
from models.store import ARTEFACTS, ModelError, load_card
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import Card, Provider, RunTime, Variant

DETECTOR = load_card("detector", ARTEFACTS)


def board(*providers: Provider, **speed: float) -> Board:
    return Board(speed={"fp32": 0.5, "int8": 0.5} | speed, power_w=1, source="test", providers=providers)  # pyright: ignore


def card(**of: list[Provider]) -> Card:
    """Variants for these providers; fp16 and int8 have the times of their CPU's like."""
    def variant(key: str, providers: list[Provider]) -> Variant:
        return msgspec.structs.replace(
            DETECTOR.variants["int8" if "int8" in key else "fp32"], providers=providers, stages=[],
            parent="" if key == "fp32" else "fp32", precision=key.partition("_")[0],
            run_time=RunTime(quantiles_ms=[4.0 if "int8" in key else 8.0] * 21, runs=1))

    return msgspec.structs.replace(DETECTOR, variants={key: variant(key, some) for key, some in of.items()})


ALL = card(fp32=[], int8=["cpu"], fp16=["tensorrt", "cuda"], int8_trt=["tensorrt"])


def offered(made: Card, on: Board) -> list[str]:
    times = profiles.on_board(made, "b", on, "0")
    return sorted(profile.variant for profile in Offer({"detector": made}, {"detector": times}).announce())


def test_variants_of_other_providers_are_left_out_in_silence() -> None:
    assert offered(ALL, board("cpu")) == ["fp32", "int8"]
    assert offered(ALL, board("tensorrt", "cuda", fp16=1.0)) == ["fp16", "fp32", "int8_trt"]
    assert offered(ALL, board("cuda", fp16=1.0)) == ["fp16", "fp32"]
    assert offered(ALL, board("tensorrt", "cuda", "cpu", fp16=1.0)) == ["fp16", "fp32", "int8_trt"]


def test_a_board_without_a_speed_for_fp16_gains_nothing_by_it() -> None:
    times = profiles.on_board(ALL, "b", board("tensorrt"), "0")
    assert times["fp16"].whole == times["fp32"].whole
    assert offered(ALL, board("tensorrt")) == ["fp32", "int8_trt"]
    assert profiles.on_board(ALL, "b", board("tensorrt", fp16=2.0), "0")["fp16"].whole.p50_ms == 4.0


def test_a_model_without_a_variant_for_the_board_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"detector: may run on tensorrt only; the board has cpu"):
        profiles.on_board(card(int8_trt=["tensorrt"]), "b", board("cpu"), "0")
    with pytest.raises(ModelError, match=r"only its CPU runs detector, and was not measured; `swarm models profile"):
        profiles.on_board(card(int8=["cpu"]), "b", board("tensorrt", "cpu"), "0")


def test_the_shipped_models_fly_on_cpus_and_on_gpus() -> None:
    for name in ("detector", "segmenter"):
        shipped = load_card(name, ARTEFACTS)
        on_cpu = profiles.on_board(shipped, "b", board("cpu"), "0")
        on_gpu = profiles.on_board(shipped, "b", board("tensorrt", "cuda"), "0")
        assert {"fp32", "int8"} <= set(on_cpu)
        assert {"fp32", "fp16", "int8_trt"} <= set(on_gpu)
        assert not {"fp16", "int8_trt"} & set(on_cpu)
        assert "int8" not in on_gpu
