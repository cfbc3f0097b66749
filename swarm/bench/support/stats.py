"""Statistics of repeated measurements. A separate file, because every bench needs it and nothing else of `support`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def quantile(values: Sequence[float], q: float) -> float:
    """Quantile q in 0..1, rounded to a tenth."""
    return round(float(np.quantile(np.asarray(values), q)), 1)
