"""Execution providers: the board's order of preference, limited by the card. ONNX Runtime never falls back silently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.store import ModelError
from swarm.core.settings.cards import Precision, Provider

ORT_NAMES: dict[Provider, str] = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider",
}


def allowed(board: Sequence[Provider], card: Sequence[Provider]) -> tuple[Provider, ...]:
    """The board's providers, best first, that the card allows; an empty list allows all."""
    return tuple(provider for provider in board if not card or provider in card)


def order(board: Sequence[Provider], card: Sequence[Provider], what: str) -> tuple[Provider, ...]:
    """As `allowed`; ModelError if none is."""
    some = allowed(board, card)
    if not some:
        raise ModelError(what, f"may run on {', '.join(card)} only", f"the board has {', '.join(board)}")
    return some


def ort_names(providers: Sequence[Provider], available: Sequence[str], what: str) -> list[str]:
    """ONNX Runtime's names of the providers; ModelError if one of them is not available on this host."""
    names = [ORT_NAMES[provider] for provider in providers]
    for name in names:
        if name not in available:
            raise ModelError(what, f"provider {name} is not available", f"this host has {', '.join(available)}")
    return names


def options(provider: Provider, precision: Precision, engines: Path | None) -> dict[str, str]:
    """A provider's options. engines: the folder of TensorRT's engines, which take minutes to build.

    TensorRT chooses kernels of lower precision only where it is allowed to: fp16 for a graph in fp16, and for the float
    part of one with int8, whose scales are in the graph itself.
    """
    if provider != "tensorrt":
        return {}
    assert engines is not None
    return {
        "trt_fp16_enable": "1" if precision in ("fp16", "int8") else "0",
        "trt_int8_enable": "1" if precision == "int8" else "0",
        "trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1", "trt_timing_cache_path": str(engines),
    }
