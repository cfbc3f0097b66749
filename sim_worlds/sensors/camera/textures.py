"""Patterns for floor, walls and clutter: grey pictures, by which a renderer multiplies the colour of a solid.

One picture covers each face of a solid, however large the face is.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy import draw

Shades = NDArray[np.float64]
"""A pattern, [SIZE_PX, SIZE_PX]: 0 where it leaves a colour as it is, 1 where it darkens most."""

SIZE_PX = 64
OCTAVES = 2, 4, 8, 16, 32            # squares along a side of a cloud
STRIPES = 3, 17                      # of a face, from and below
ROWS = 4, 17                         # of bricks
JOINT_PX = 1
COUNT = 15                           # pictures for one place: as many of each kind


def pictures(darkness: float, seed: int) -> list[NDArray[np.uint8]]:
    """The pictures of a place, grey uint8 [SIZE_PX, SIZE_PX]. darkness: what they take of the colour at most, 0..1."""
    rng = np.random.default_rng(draw.integer(seed, "randomise", "texture"))
    kinds = itertools.islice(itertools.cycle((_cloud, _stripes, _checks, _bricks, _speckles)), COUNT)
    return [np.round(255 * (1.0 - darkness * make(rng))).astype(np.uint8) for make in kinds]


def choices(seed: int) -> Iterator[int]:
    """The index of the picture of one solid after the other."""
    rng = draw.stream(seed, "randomise", "texture of a solid")
    while True:
        yield rng.randrange(COUNT)


def targa(grey: NDArray[np.uint8]) -> bytes:
    """A grey picture [h, w] as a TGA file of 24 bits a pixel, which PyBullet reads."""
    height, width = grey.shape
    header = struct.pack("<3B 2H B 4H 2B", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 24, 0x20)
    return header + np.repeat(grey[:, :, None], 3, axis=2).tobytes()


def _cloud(rng: np.random.Generator) -> Shades:
    """Stains of all sizes: squares of random shades; larger squares differ more."""
    shades = np.zeros((SIZE_PX, SIZE_PX))
    for squares in OCTAVES:
        shades += _enlarged(rng.random((squares, squares))) / squares ** 0.5
    low, high = float(shades.min()), float(shades.max())
    return (shades - low) / (high - low)


def _stripes(rng: np.random.Generator) -> Shades:
    across = (np.arange(SIZE_PX) * int(rng.integers(*STRIPES)) * 2 // SIZE_PX % 2).astype(float)
    shades = np.broadcast_to(across, (SIZE_PX, SIZE_PX))
    return shades.T if rng.random() < 0.5 else shades


def _checks(rng: np.random.Generator) -> Shades:
    squares = np.arange(SIZE_PX) * int(rng.integers(*STRIPES)) // SIZE_PX
    return ((squares[:, None] + squares) % 2).astype(float)


def _bricks(rng: np.random.Generator) -> Shades:
    """Bricks of random shades, up to half dark, in rows that are shifted by half a brick, with dark joints."""
    rows = int(rng.integers(*ROWS))
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    row, high = y * rows // SIZE_PX, SIZE_PX // rows
    along = x + row % 2 * high                               # a brick is twice as wide as high
    shades = rng.uniform(0.0, 0.5, (rows, SIZE_PX))[row, along // (2 * high)]
    joint = (np.diff(row, axis=0, prepend=-1) > 0) | (along % (2 * high) < JOINT_PX)
    return np.where(joint, 1.0, shades)


def _speckles(rng: np.random.Generator) -> Shades:
    return rng.random((SIZE_PX, SIZE_PX))


def _enlarged(shades: Shades) -> Shades:
    """The same pattern with SIZE_PX along each side."""
    times = SIZE_PX // len(shades)
    return shades.repeat(times, axis=0).repeat(times, axis=1)
