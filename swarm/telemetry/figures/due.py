"""Every frame that was due in a run, submitted or not, as columns: what shares and quantiles are taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry import table
from swarm.telemetry.ledger import Row

NEEDED = ("agent", "stream", "due_s", "captured_ns", "deadline_ns", "latency_ms", "ending")
"""Columns of a table of requests from which due frames are made."""


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

    def where(self, chosen: NDArray[Any]) -> DueFrames:
        """Only the frames of this mask, or of these places."""
        return DueFrames(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})


def of_rows(rows: Sequence[Row], deadlines_s: Mapping[str, float]) -> DueFrames:
    """The due frames of these rows. deadlines_s: by stream, for requests whose span never came."""
    return of_columns(table.arrays(rows, NEEDED), deadlines_s)


def of_columns(c: table.Columns, deadlines_s: Mapping[str, float]) -> DueFrames:
    """The due frames of a table of requests. deadlines_s: by stream, for requests whose span never came."""
    stated_s = np.array([deadlines_s.get(stream, 0.0) for stream in c["stream"]], np.float64)
    frames = DueFrames(
        robot=c["agent"], stream=c["stream"], due_s=c["due_s"],
        deadline_s=np.where(c["deadline_ns"] != 0, (c["deadline_ns"] - c["captured_ns"]) / 1e9, stated_s),
        latency_s=np.nan_to_num(c["latency_ms"] / 1e3, nan=np.inf),
        outcome=np.where(c["ending"] == "open", "lost", c["ending"]).astype(object))
    return frames.where(np.argsort(frames.due_s, kind="stable"))
