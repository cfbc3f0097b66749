"""Writes a network, whole and cut into stages, to files; for benches of the cost of cutting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from models import store
from models.build.cut.partition import balanced, split
from models.build.graph.normalize import normalized
from models.build.measure.random_inputs import random_inputs
from models.build.quantize.int8_variants import load
from models.build.zoo import zoo
from swarm.core.settings.errors import BadInput


class SplitFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files of the stages by requested number of stages, the whole under 1; the whole's input and output names."""

    stages: dict[int, list[Path]]
    inputs: list[str]
    outputs: list[str]
    sample_inputs: list[dict[str, NDArray]]


def write_split_files(name: str, stage_counts: Sequence[int], folder: Path, count: int, images: int = 1) -> SplitFiles:
    """Write a network and its balanced splits into `folder`; the result has `count` random inputs. Raises: BadInput.

    name: a network of the zoo, with random weights, or a model of the stores, whose original is used.
    images: batch size; not every network allows more than 1.
    """
    whole = normalized(_network(name))
    if images > 1:
        _batched(whole, images)
    stages = {1: [_write(whole, folder / "whole.onnx")]}
    for k in stage_counts:
        stages[k] = [_write(model, folder / f"{k}-{i}.onnx")
                     for i, model in enumerate(split(whole, balanced(whole, k)))]
    ends = [[value.name for value in values] for values in (whole.graph.input, whole.graph.output)]
    return SplitFiles(stages=stages, inputs=ends[0], outputs=ends[1], sample_inputs=list(random_inputs(whole, count)))


def _network(name: str) -> ModelProto:
    if name in zoo.NAMES:
        if packages := zoo.missing(name):
            raise BadInput(f"--model {name}", f"{' and '.join(packages)} not installed", "another network")
        return zoo.fp32(name)
    if name not in store.names():
        raise BadInput(f"--model {name}", "no such network", f"one of {', '.join([*zoo.NAMES, *store.names()])}")
    return load(store.load_card(name))


def _batched(model: ModelProto, images: int) -> None:
    """Set the first axis of all inputs and outputs to the batch size `images`."""
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = images


def _write(model: ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path
