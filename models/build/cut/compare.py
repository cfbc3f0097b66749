"""Compares two runs of a graph: the allowed difference, and the difference found."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

ALLOWED = {"float64": (1e-5, 1e-6), "float32": (1e-5, 1e-6), "float16": (4e-3, 1e-3)}
"""Relative tolerance, of the largest absolute value, and absolute tolerance; all other types must be equal.

Float16 has 11 bits of precision, and the runtime computes in float32 between casts that it places freely.
"""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The difference of two runs, over all outputs."""

    max_abs_error: float = 0.0
    mismatches: int = 0              # elements that differ by more than allowed
    elements: int = 0
    largest: float = 0.0             # absolute value of an expected float output

    @property
    def share(self) -> float:
        return self.mismatches / max(self.elements, 1)

    def __add__(self, other: Difference) -> Difference:
        return Difference(max_abs_error=max(self.max_abs_error, other.max_abs_error),
                          mismatches=self.mismatches + other.mismatches, elements=self.elements + other.elements,
                          largest=max(self.largest, other.largest))

    def __str__(self) -> str:
        of_largest = f" of {self.largest:.3g}" if self.largest else ""
        return f"{self.share:.2%} of the output differs, by up to {self.max_abs_error:.3g}{of_largest}"


EQUAL = Difference()


def difference(
    found: Mapping[str, NDArray], expected: Mapping[str, NDArray], *, exact: bool, half: bool = False
) -> Difference:
    """Compare `found` with `expected` by output; an output that is missing or of another kind differs in all elements.

    Args: exact: every bit must be the same. half: the graph computes in float16, even if its outputs are not.
    """
    total = EQUAL
    for name, right in expected.items():
        mine = found.get(name)
        if mine is None or mine.shape != right.shape or mine.dtype != right.dtype:
            total += Difference(max_abs_error=float("inf"), mismatches=max(right.size, 1), elements=max(right.size, 1))
            continue
        with np.errstate(all="ignore"):                  # the next line handles inf - inf
            error = np.abs(mine.astype(np.float64) - right.astype(np.float64))
        error = np.where(np.isnan(error), np.where(mine == right, 0.0, np.inf), error)
        relative, absolute = ALLOWED.get("float16" if half else right.dtype.name, (0.0, 0.0))
        largest = float(np.abs(right.astype(np.float64)).max(initial=0.0)) if right.dtype.kind == "f" else 0.0
        limit = 0.0 if exact else relative * largest + absolute
        total += Difference(max_abs_error=float(error.max(initial=0.0)), mismatches=int((error > limit).sum()),
                            elements=right.size, largest=largest if np.isfinite(largest) else 0.0)
    return total


def is_finite(values: Mapping[str, NDArray]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in values.values() if value.dtype.kind == "f")
