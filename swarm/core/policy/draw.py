"""Named, seeded randomness: the same seed and names give the same numbers in every process and on every machine."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence


def _digest(seed: int, names: Sequence[object]) -> int:
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, *names: object) -> random.Random:
    """A generator of its own for this seed and these names."""
    return random.Random(_digest(seed, names))


def uniform(seed: int, *names: object) -> float:
    """One number in [0, 1) for this seed and these names."""
    return _digest(seed, names) / 2**64


def two(seed: int, *names: object) -> tuple[float, float]:
    """Two numbers in [0, 1) for this seed and these names."""
    return uniform(seed, *names, 0), uniform(seed, *names, 1)


def integer(seed: int, *names: object) -> int:
    """One number in [0, 2**64) for this seed and these names: the key of a generator of another kind."""
    return _digest(seed, names)


def from_quantiles(quantiles: Sequence[float], u: float) -> float:
    """Inverse transform sampling from evenly spaced quantiles (at least two, ascending) with linear interpolation."""
    position = u * (len(quantiles) - 1)
    below = min(int(position), len(quantiles) - 2)
    share = position - below
    return quantiles[below] * (1.0 - share) + quantiles[below + 1] * share
