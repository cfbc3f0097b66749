"""Static int8 variants in QDQ form, tried in several ways; the best of those that keep the accuracy is kept.

U8S8 without `reduce_range` saturates on x86 without VNNI and would pass here and fail there: it is tried only when
nothing else keeps the accuracy.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from models.build.export import HEADS, finish

GATE = 0.01
"""An int8 variant may lose this much of the primary metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to quantize."""

    per_channel: bool
    percentile: float | None = None      # of the activations' range; None takes minimum and maximum
    reduce_range: bool = True            # weights of 7 bits

    def __str__(self) -> str:
        ranges = "minmax" if self.percentile is None else f"percentile {self.percentile}"
        return f"{'per-channel' if self.per_channel else 'per-tensor'} {ranges} {'s7' if self.reduce_range else 's8'}"


WAYS = (
    Way(per_channel=True), Way(per_channel=True, percentile=99.99), Way(per_channel=False),
    Way(per_channel=True, reduce_range=False), Way(per_channel=True, percentile=99.99, reduce_range=False),
)


def quantize(
    name: str, fp32: Path, int8: Path, images: NDArray[np.uint8], score: Callable[[Path], float]
) -> tuple[str, float]:
    """Write the best int8 file and say which way made it and how it scored; ValueError where none keeps within GATE."""
    floor, best, best_score = score(fp32) - GATE, None, -1.0
    for way in sorted(WAYS, key=lambda way: not way.reduce_range):
        if best is not None and best_score >= floor and not way.reduce_range:
            break
        trial = int8.with_suffix(".trial")
        _write(name, fp32, trial, images, way)
        reached = score(trial)
        print(f"{name} int8 {way}: {reached:.4f} (floor {floor:.4f})", flush=True)
        if reached > best_score:
            best, best_score = way, reached
            trial.replace(int8)
        else:
            trial.unlink()
    if best_score < floor:
        raise ValueError(f"{name}: no int8 variant within {GATE} of fp32: best {best_score:.4f}, floor {floor:.4f}")
    return str(best), best_score


def _write(name: str, fp32: Path, path: Path, images: NDArray[np.uint8], way: Way) -> None:
    """Quantize convolutions, sums and resizings, up to the heads."""
    logging.getLogger().setLevel(logging.ERROR)      # the quantizer advises on every call
    ranges = {"CalibPercentile": way.percentile} if way.percentile else {}
    with contextlib.redirect_stdout(io.StringIO()):  # its calibrator prints
        quantize_static(
            str(fp32), str(path), _Images(images), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            per_channel=way.per_channel, reduce_range=way.reduce_range,
            op_types_to_quantize=["Conv", "Relu", "Add", "Resize"], nodes_to_exclude=_tail(fp32, HEADS[name]),
            calibrate_method=CalibrationMethod.Percentile if way.percentile else CalibrationMethod.MinMax,
            extra_options=ranges,
        )
    finish(path)


def _tail(path: Path, heads: list[str]) -> list[str]:
    """Names of the head nodes and of all that follow them."""
    graph = onnx.load(path).graph
    known = {node.name for node in graph.node}
    if not known >= set(heads):
        raise ValueError(f"{path}: no nodes {sorted(set(heads) - known)}")
    reached: set[str] = set()
    tail = []
    for node in graph.node:              # in topological order
        if node.name in heads or reached & set(node.input):
            tail.append(node.name)
            reached |= set(node.output)
    return tail


class _Images(CalibrationDataReader):
    """The frames the ranges are taken from, one by one."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._left, None)
        return None if image is None else {"image": image[None]}
