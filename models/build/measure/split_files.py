"""One network whole and in ever more stages, as files: what the cost of cutting is measured on."""

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


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Files of the stages by how many were asked for, the whole under 1; ends of the whole, and inputs for it."""

    stages: dict[int, list[Path]]
    inputs: list[str]
    outputs: list[str]
    samples: list[dict[str, NDArray]]


def ladder(name: str, ways: Sequence[int], folder: Path, count: int, images: int = 1) -> Ladder:
    """Write a network and its balanced splits into `folder`, with `count` inputs. Raises: BadInput.

    name: a network of the zoo, with random weights, or a model of the stores, of which the original is taken.
    images: that it takes at once; not every network takes several.
    """
    whole = normalized(_network(name))
    if images > 1:
        _batched(whole, images)
    stages = {1: [_written(whole, folder / "whole.onnx")]}
    for k in ways:
        stages[k] = [_written(model, folder / f"{k}-{i}.onnx")
                     for i, model in enumerate(split(whole, balanced(whole, k)))]
    ends = [[value.name for value in values] for values in (whole.graph.input, whole.graph.output)]
    return Ladder(stages=stages, inputs=ends[0], outputs=ends[1], samples=list(samples(whole, count)))


def _network(name: str) -> ModelProto:
    if name in zoo.NAMES:
        if lacking := zoo.missing(name):
            raise BadInput(f"--model {name}", f"{' and '.join(lacking)} not installed", "another network")
        return zoo.fp32(name)
    if name not in store.names():
        raise BadInput(f"--model {name}", "no such network", f"one of {', '.join([*zoo.NAMES, *store.names()])}")
    return load(store.load_card(name))


def _batched(model: ModelProto, images: int) -> None:
    """Have the network take so many images at once, along the first axis."""
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = images


def _written(model: ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path
