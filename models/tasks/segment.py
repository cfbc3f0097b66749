"""Segmentation: the class of each pixel becomes a `Mask`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.camera_input import image_input
from swarm.core.protocol.world import Mask

preprocess = image_input


def postprocess(outputs: Sequence[NDArray]) -> Mask:
    """The mask of classes uint8 [1, height, width]."""
    (classes,) = outputs
    if classes.ndim != 3 or len(classes) != 1 or classes.dtype != np.uint8:
        raise ValueError(f"expected classes uint8 [1, h, w], found {classes.dtype} {list(classes.shape)}")
    return Mask(height=classes.shape[1], width=classes.shape[2], cells=classes.tobytes())
