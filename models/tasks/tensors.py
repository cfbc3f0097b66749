"""All else: the outputs themselves, as small named arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from models.sensor_input import SensorInput, sensor_input
from models.store import ModelError
from swarm.core.protocol.world import MOST_ARRAY_BYTES, MOST_ARRAYS, Tensors, named_array
from swarm.core.settings.cards import Card

NAME_MAX = 64                        # characters of an array's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Pre- and post-processing of a model of any kind."""

    inputs: SensorInput
    names: list[str]
    kinds: list[tuple[str, list[int]]]   # type and shape of each output

    @classmethod
    def of(cls, card: Card) -> Arrays:
        """The task of a card. Raises: ModelError if no sensor gives its inputs, or its outputs are too large."""
        size = sum(spec.bytes for spec in card.outputs)
        if not 1 <= len(card.outputs) <= MOST_ARRAYS or size > MOST_ARRAY_BYTES:
            raise ModelError(f"model {card.name!r}: outputs", f"{len(card.outputs)} arrays of {size:,} bytes",
                             f"1 to {MOST_ARRAYS} arrays of at most {MOST_ARRAY_BYTES:,} bytes together")
        names = [spec.name[-NAME_MAX:] for spec in card.outputs]
        if len(set(names)) < len(names):
            raise ModelError(f"model {card.name!r}: outputs", "names with the same last 64 characters", "shorter names")
        return cls(inputs=sensor_input(card), names=names, kinds=[(spec.dtype, spec.shape) for spec in card.outputs])

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for what is not of the card's sensor."""
        return self.inputs.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Tensors:
        """The outputs by name. Raises: ValueError for other types or shapes."""
        found = [(output.dtype.name, list(output.shape)) for output in outputs]
        if found != self.kinds:
            raise ValueError(f"expected {self.kinds}, found {found}")
        return Tensors([named_array(name, output) for name, output in zip(self.names, outputs, strict=True)])


make = Arrays.of
