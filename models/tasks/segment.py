"""Segmentation: the class of each pixel becomes a `Mask`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.camera_input import ImageInput
from models.store import ModelError
from swarm.core.protocol.world import Mask
from swarm.core.settings.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Pre- and post-processing of one segmenter."""

    image: ImageInput

    @classmethod
    def of(cls, card: Card) -> Segment:
        """The task of a card. Raises: ModelError if its inputs or outputs are not those of a segmenter."""
        match [(spec.dtype, spec.shape) for spec in card.outputs]:
            case [("uint8", [1, _, _])]:
                return cls(image=ImageInput.of(card))
            case found:
                raise ModelError(f"model {card.name!r}: outputs", f"found {found}", "classes, uint8 [1, h, w]")

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs. Raises: ValueError for a frame of another shape."""
        return self.image.preprocess(frame)

    def postprocess(self, outputs: Sequence[NDArray]) -> Mask:
        """The mask from pixel classes, uint8 [1, height, width]. Raises: ValueError for another shape or type."""
        (classes,) = outputs
        if classes.ndim != 3 or len(classes) != 1 or classes.dtype != np.uint8:
            raise ValueError(f"expected classes uint8 [1, h, w], found {classes.dtype} {list(classes.shape)}")
        return Mask(height=classes.shape[1], width=classes.shape[2], cells=classes.tobytes())


make = Segment.of
