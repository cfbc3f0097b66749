"""The inputs of a model by the sensor of its card: a picture, a scan, or nothing but constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.camera_input import ImageInput, constants_of
from models.store import ModelError
from swarm.core.settings.cards import Card


class SensorInput(Protocol):
    """Makes the inputs of a network of what its sensor gives."""

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """The inputs by name. Raises: ValueError for what is not of this sensor."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """The ranges of a scan, metres, evenly picked from the beams of the lidar."""

    name: str
    dtype: str
    shape: list[int]
    constants: Mapping[str, NDArray[Any]]

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """As `SensorInput.preprocess`; frame: float [beams]."""
        if frame.ndim != 1 or not frame.size or frame.dtype.kind != "f":
            raise ValueError(f"a scan must be float [beams], found {frame.dtype} {list(frame.shape)}")
        count = prod(self.shape)
        picked = frame[np.arange(count) * len(frame) // count]
        return {self.name: np.ascontiguousarray(picked.reshape(self.shape), self.dtype), **self.constants}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantInput:
    """Nothing but constants."""

    constants: Mapping[str, NDArray[Any]]

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """As `SensorInput.preprocess`; frame: anything."""
        return dict(self.constants)


def sensor_input(card: Card) -> SensorInput:
    """The inputs that a card describes. Raises: ModelError if its sensor does not give them."""
    if card.sensor == "camera":
        return ImageInput.of(card)
    constants = constants_of(card)
    left = [spec for spec in card.inputs if spec.name not in constants]
    match card.sensor, left:
        case "timer", []:
            return ConstantInput(constants=constants)
        case "scan", [spec] if spec.dtype.startswith("float") and is_row(spec.shape):
            return ScanInput(name=spec.name, dtype=spec.dtype, shape=spec.shape, constants=constants)
        case "scan", _:
            want = "one input of floats with one long axis, like [1, 64]"
        case _:
            want = "a constant for each input"
    raise ModelError(f"model {card.name!r}: inputs", f"found {[(spec.name, spec.dtype, spec.shape) for spec in left]}",
                     f"sensor {card.sensor}: {want}")


def is_row(shape: list[int]) -> bool:
    """Whether all axes but one are 1."""
    return sum(size > 1 for size in shape) == 1
