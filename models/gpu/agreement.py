"""The likeness of two sets of outputs. Separate from the gates, because a board has no onnx."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def agreement(expected: Sequence[Sequence[NDArray]], found: Sequence[Sequence[NDArray]]) -> float:
    """Agreement of the worst output, 0..1; both arguments are indexed by run, then by output.

    For floats it is 1 minus the relative error in the 2-norm over all runs, else the share of equal elements.
    """
    return min(_agreement(np.stack(a), np.stack(b))
               for a, b in zip(zip(*expected, strict=True), zip(*found, strict=True), strict=True))


def _agreement(expected: NDArray, found: NDArray) -> float:
    if expected.dtype.kind != "f":
        return float((expected == found).mean())
    if not np.isfinite(found).all():
        return 0.0
    largest = max(float(np.abs(expected).max(initial=0.0)), 1e-300)      # squares of larger values would overflow
    with np.errstate(all="ignore"):
        expected, found = expected.astype(np.float64) / largest, found.astype(np.float64) / largest
        size, error = float(np.linalg.norm(expected)), float(np.linalg.norm(expected - found))
    return max(0.0, 1.0 - error / size) if size else float(error == 0.0)
