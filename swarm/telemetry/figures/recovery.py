"""How well a swarm served over a run, and how long after a fault it served as before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from swarm.telemetry.ledger import AGENT_LOST, Row

WINDOW_S = 1.0                       # over which the share on time is taken
BEFORE_S = 5.0                       # what was before a fault
WITHIN = 0.05                        # so close to it is as before
HOLDS_S = 1.0
AFTER_S = 1.0                        # a fall within so long after the end of a fault is counted as its doing
STEP_S = 0.02                        # between two moments that are looked at


class Service:
    """What share of the requests that fell due was on time, at any moment of a run.

    Requests of a robot that died before they ended are left out: nobody was there any more to be served.
    """

    def __init__(self, rows: Sequence[Row], deadlines_s: Mapping[str, float], ran_s: float) -> None:
        """deadlines_s: per stream, for requests of which only the submission was heard. ran_s: the streams' end."""
        rows = [row for row in rows if row.span.reason != AGENT_LOST]
        due_s = np.array([_due_s(row, deadlines_s) for row in rows])
        order = np.argsort(due_s, kind="stable")
        on_time = np.array([row.span.ending == "completed" for row in rows], np.int64)
        self._due_s = due_s[order]
        self._on_time = np.concatenate([[0], np.cumsum(on_time[order])])
        self._moments_s = np.arange(0.0, max(ran_s, 0.0), STEP_S)
        self._share = self._shares(self._moments_s - WINDOW_S, self._moments_s)

    def share(self, from_s: float, to_s: float) -> float | None:
        """On time of all that fell due in (from, to]; None where nothing did."""
        share = self._shares(np.array([from_s]), np.array([to_s]))[0]
        return None if np.isnan(share) else float(share)

    def recover_s(self, from_s: float, until_s: float) -> float | None:
        """How long after a fault at `from_s`, which lasted until `until_s`, the swarm served as before.

        At a moment, the swarm serves as before if of the requests that fell due in the second before it (WINDOW_S) the
        share on time is at most 5 points (WITHIN) below that of the 5 s (BEFORE_S) before the fault, or if none fell
        due. The swarm is hit at the first moment at which that is not so, while the fault lasts or up to 1 s (AFTER_S)
        later. It has recovered at the first moment after that from which it is so for 1 s (HOLDS_S) on end.

        Returns: seconds from the fault's start to that moment; 0 if the swarm was never hit. None if it did not
        recover before the streams' end, and where nothing fell due before the fault that it could be compared with.
        """
        before = self.share(from_s - BEFORE_S, from_s)
        if before is None:
            return None
        low = self._share < before - WITHIN          # where nothing was due, nan: not low
        there = (self._moments_s >= from_s) & (self._moments_s <= until_s + AFTER_S)
        hit = np.flatnonzero(low & there)
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
    """On the collector's clock."""
    span = row.span
    if span.deadline_ns:
        return row.at_s + (span.deadline_ns - span.submitted_ns) / 1e9
    return row.at_s + deadlines_s.get(span.stream, 0.0)
