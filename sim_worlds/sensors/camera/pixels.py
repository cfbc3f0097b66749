"""Pixels of a renderer as arrays, and the colour of those that show nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment

Scalar = TypeVar("Scalar", bound=np.generic)


def ceiling_rgb(environment: Environment) -> NDArray[np.uint8]:
    """The colour of the ceiling, [3], as bright as its lamp."""
    bright = np.asarray(environment.ceiling_colour) * environment.brightness
    return (np.clip(bright, 0.0, 1.0) * 255).astype(np.uint8)


def array_of(pixels: Any, kind: type[Scalar]) -> NDArray[Scalar]:
    """An image from PyBullet as an array; PyBullet without NumPy returns a tuple of numbers."""
    if not isinstance(pixels, tuple):
        return np.asarray(pixels, kind)
    if kind is np.uint8:
        return np.frombuffer(bytes(pixels), kind)            # four times as fast
    return np.fromiter(pixels, kind, len(pixels))
