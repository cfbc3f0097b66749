"""The input that all camera models share: the frame as it is, with a batch axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.world import CAMERA

SHAPE = (CAMERA.height_px, CAMERA.width_px, 3)


def image_input(frame: NDArray[np.uint8]) -> dict[str, NDArray]:
    """`image`: uint8 [1, 72, 96, 3] of an RGB frame, uint8 [72, 96, 3]; ValueError for anything else."""
    if frame.shape != SHAPE or frame.dtype != np.uint8:
        raise ValueError(f"a frame must be uint8 {list(SHAPE)}, found {frame.dtype} {list(frame.shape)}")
    return {"image": np.ascontiguousarray(frame)[None]}
