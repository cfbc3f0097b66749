"""One place where a target may be: its position, its votes and the doubt about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.search.locator import Fix

NEAR_TO_CLAIM_M = 2.6                # a claim needs hits from at most this far


@dataclass(slots=True, kw_only=True)
class Track:
    """A place where a target may be."""

    number: int
    xy: NDArray[np.float64]          # [2], metres, world frame
    cov: NDArray[np.float64]         # [2, 2], m2
    votes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(TARGET_CLASSES)))    # summed scores
    hits: int = 0
    doubt: float = 0.0               # evidence against it: frames and masks that should have shown it and did not
    floor_m: float = 9.0             # lower bound of the spread: errors of similar measurements are correlated
    near_hits: int = 0               # hits from within NEAR_TO_CLAIM_M
    claimed_at: int = -1             # ns, or -1
    claims: int = 0

    @property
    def label(self) -> str:
        """The label with most votes; a tie goes to the first."""
        return TARGET_CLASSES[int(self.votes.argmax())]

    @property
    def spread_m(self) -> float:
        """Standard deviation of the position in its worst direction."""
        return max(math.sqrt(float(np.linalg.eigvalsh(self.cov)[-1])), self.floor_m)

    def update(self, fix: Fix, label: int, score: float) -> None:
        """Fuse a measurement (Kalman filter of a static point)."""
        noise = covariance(fix)
        gain = self.cov @ np.linalg.inv(self.cov + noise)
        self.xy = self.xy + gain @ (np.array([fix.x_m, fix.y_m]) - self.xy)
        self.cov = (np.eye(2) - gain) @ self.cov + 9e-4 * np.eye(2)
        self.floor_m = min(self.floor_m, 0.4 * max(fix.radial_m, fix.across_m))
        self.near_hits += fix.range_m <= NEAR_TO_CLAIM_M
        self.votes[label] += score
        self.hits += 1
        self.doubt = max(0.0, self.doubt - 1.0)


def covariance(fix: Fix) -> NDArray[np.float64]:
    """The covariance of a measurement: [2, 2], world frame, m2."""
    c, s = math.cos(fix.bearing_rad), math.sin(fix.bearing_rad)
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.diag([fix.radial_m ** 2, fix.across_m ** 2]) @ turn.T


def deviations(offset: NDArray[np.float64], cov: NDArray[np.float64]) -> float:
    """Mahalanobis distance of an offset [2]."""
    return math.sqrt(float(offset @ np.linalg.solve(cov, offset)))
