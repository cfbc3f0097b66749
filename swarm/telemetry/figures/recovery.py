"""The share of requests on time over a run, and the time to recover after a fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from swarm.telemetry.ledger import AGENT_LOST, Row

WINDOW_S = 1.0                       # window of the share on time
BEFORE_S = 5.0                       # window before a fault, for the level to compare with
WITHIN = 0.05                        # recovered: at most so much below that level
HOLDS_S = 1.0                        # recovered: for at least so long
AFTER_S = 1.0                        # a drop so soon after the end of a fault is attributed to the fault
STEP_S = 0.02                        # between two samples of the share


class OnTimeHistory:
    """The share of due requests that were on time, at any moment of a run.

    Requests that were open when their robot died are left out: the robot no longer needed their results.
    """

    def __init__(self, rows: Sequence[Row], deadlines_s: Mapping[str, float], ran_s: float) -> None:
        """deadlines_s: by stream, for requests without a span. ran_s: how long the streams ran."""
        rows = [row for row in rows if row.span.reason != AGENT_LOST]
        due_s = np.array([_due_s(row, deadlines_s) for row in rows])
        order = np.argsort(due_s, kind="stable")
        on_time = np.array([row.span.ending == "completed" for row in rows], np.int64)
        self._due_s = due_s[order]
        self._on_time = np.concatenate([[0], np.cumsum(on_time[order])])
        self._moments_s = np.arange(0.0, max(ran_s, 0.0), STEP_S)
        self._share = self._shares(self._moments_s - WINDOW_S, self._moments_s)

    def share(self, from_s: float, to_s: float) -> float | None:
        """Share on time of the requests due in (from, to]; None if none was due."""
        share = self._shares(np.array([from_s]), np.array([to_s]))[0]
        return None if np.isnan(share) else float(share)

    def recover_s(self, from_s: float, until_s: float) -> float | None:
        """The time to recover from a fault that lasted from `from_s` to `until_s`.

        The level before the fault is the share on time of the requests due in the 5 s (BEFORE_S) before it. At any
        moment the current share is that of the requests due in the last second (WINDOW_S). The service is low when the
        current share is more than 5 points (WITHIN) below the level; without due requests it is not low. The fault has
        hit when the service is low during the fault or up to 1 s (AFTER_S) after it. The service has recovered at the
        first later moment from which it is not low for 1 s (HOLDS_S).

        Returns: seconds from the fault's start to the recovery; 0 if the fault never hit. None if the service did not
        recover before the end of the streams, or if no request was due in the 5 s before the fault.
        """
        before = self.share(from_s - BEFORE_S, from_s)
        if before is None:
            return None
        low = self._share < before - WITHIN          # without due requests nan: not low
        during = (self._moments_s >= from_s) & (self._moments_s <= until_s + AFTER_S)
        hit = np.flatnonzero(low & during)
        if not hit.size:
            return 0.0
        holds = round(HOLDS_S / STEP_S)
        lows = np.concatenate([[0], np.cumsum(low)])
        start = np.arange(hit[0], low.size - holds)
        well = start[lows[start + holds] == lows[start]]
        return round(float(self._moments_s[well[0]]) - from_s, 3) if well.size else None

    def _shares(self, from_s: np.ndarray, to_s: np.ndarray) -> np.ndarray:
        first = np.searchsorted(self._due_s, from_s, side="right")
        last = np.searchsorted(self._due_s, to_s, side="right")
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._on_time[last] - self._on_time[first]) / (last - first)


def _due_s(row: Row, deadlines_s: Mapping[str, float]) -> float:
    """When a result is due, on the collector's clock."""
    span = row.span
    if span.deadline_ns:
        return row.at_s + (span.deadline_ns - span.submitted_ns) / 1e9
    return row.at_s + deadlines_s.get(span.stream, 0.0)
