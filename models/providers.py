"""Execution providers: the board's order of preference, limited by the card. ONNX Runtime never falls back silently."""

from __future__ import annotations

from collections.abc import Sequence

from models import cache
from models.store import ModelError
from swarm.core.settings.cards import Provider

ORT_NAMES: dict[Provider, str] = {
    "tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider",
}


def order(board: Sequence[Provider], card: Sequence[Provider], what: str) -> tuple[Provider, ...]:
    """The board's providers, best first, that the card allows (an empty list allows all); ModelError if none is."""
    allowed: tuple[Provider, ...] = tuple(provider for provider in board if not card or provider in card)
    if not allowed:
        raise ModelError(what, f"may run on {', '.join(card)} only", f"the board has {', '.join(board)}")
    return allowed


def ort_names(providers: Sequence[Provider], available: Sequence[str], what: str) -> list[str]:
    """ONNX Runtime's names of the providers; ModelError if one of them is not available on this host."""
    names = [ORT_NAMES[provider] for provider in providers]
    for name in names:
        if name not in available:
            raise ModelError(what, f"provider {name} is not available", f"this host has {', '.join(available)}")
    return names


def options(provider: Provider, entry: str) -> dict[str, str]:
    """A provider's options. TensorRT engines take minutes to build, so they are kept in a folder of the cache."""
    if provider != "tensorrt":
        return {}
    engines = cache.folder() / "engines" / entry
    try:
        engines.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(str(engines), error.strerror or str(error), "a folder that can be written: $SWARM_CACHE"
                         ) from None
    return {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": "1", "trt_timing_cache_path": str(engines)}
