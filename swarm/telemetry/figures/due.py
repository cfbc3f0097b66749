"""Every frame that was due in a run, submitted or not, as columns: what shares and quantiles are taken over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class DueFrames:
    """One entry per due frame, in order of `due_s`. Times are seconds since the streams began.

    A frame was missed if it fell due and no request was made of it: its body, world or agent was stopped, late or dead.
    """

    robot: NDArray[np.object_]       # the robot whose stream it is
    stream: NDArray[np.object_]      # name of the stream
    due_s: NDArray[np.float64]       # when the frame fell due
    deadline_s: NDArray[np.float64]  # from due to the deadline of its result
    latency_s: NDArray[np.float64]   # from due to result; infinite: no result
    outcome: NDArray[np.object_]     # completed, late, failed, lost or missed

    def __len__(self) -> int:
        return int(self.due_s.size)

    @property
    def on_time(self) -> NDArray[np.bool_]:
        """[frames] whether a result came by its deadline."""
        return self.outcome == "completed"

    def where(self, mask: NDArray[np.bool_]) -> DueFrames:
        """Only the frames of this mask."""
        return DueFrames(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})
