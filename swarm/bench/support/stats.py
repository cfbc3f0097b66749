"""Figures of repeated measurements. A file of its own: no other file of `support` is needed by every bench."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def quantile(values: Sequence[float], q: float) -> float:
    """Quantile q in 0..1, rounded to a tenth."""
    return round(float(np.quantile(np.asarray(values), q)), 1)
