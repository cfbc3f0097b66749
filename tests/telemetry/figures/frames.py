"""Due frames made by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures.due import DueFrames

DEADLINE_S = 0.2


def frames(
    result_due_s: NDArray[np.float64], missed: NDArray[np.bool_], robot: str = "a", latency_s: float = 0.1
) -> DueFrames:
    """Frames by when their results fell due; those that were missed never had one."""
    n = result_due_s.size
    return DueFrames(
        robot=np.full(n, robot, object), stream=np.full(n, "detect", object), due_s=result_due_s - DEADLINE_S,
        deadline_s=np.full(n, DEADLINE_S), latency_s=np.where(missed, np.inf, latency_s),
        outcome=np.where(missed, "missed", "completed").astype(object))


def joined(*some: DueFrames) -> DueFrames:
    return DueFrames(**{name: np.concatenate([getattr(one, name) for one in some])
                        for name in DueFrames.__dataclass_fields__})
