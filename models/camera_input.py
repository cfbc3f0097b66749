"""The input that all camera models share: the raw frame with a batch axis. A card gives the size of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from swarm.core.settings.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """The one input of a camera model."""

    name: str
    height_px: int
    width_px: int

    @classmethod
    def of(cls, card: Card) -> ImageInput:
        """The input that a card describes. Raises: ModelError if it is not one uint8 image [1, height, width, 3]."""
        match [(spec.name, spec.dtype, spec.shape) for spec in card.inputs]:
            case [(name, "uint8", [1, height, width, 3])]:
                return cls(name=name, height_px=height, width_px=width)
            case found:
                raise ModelError(f"model {card.name!r}: inputs", f"found {found}", "one input, uint8 [1, h, w, 3]")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a frame: height, width, 3."""
        return self.height_px, self.width_px, 3

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The input by its name, uint8 [1, height, width, 3]. Raises: ValueError for another shape or type."""
        if frame.shape != self.shape or frame.dtype != np.uint8:
            raise ValueError(f"a frame must be uint8 {list(self.shape)}, found {frame.dtype} {list(frame.shape)}")
        return {self.name: np.ascontiguousarray(frame)[None]}
