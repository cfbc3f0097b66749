"""Selects the slowest requests of a run, with the facts that the report shows of each."""

from __future__ import annotations

import msgspec
import numpy as np

from swarm.telemetry.figures.request_paths.segments import Segment, segments
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.report.side_by_side import milliseconds
from swarm.telemetry.table import Columns

IN_ALL = 20                          # requests of all streams together, divided equally
AT_LEAST = 5                         # requests of each stream
FAILED = 3                           # additional failed requests of each stream, at most
BY_TIME = ("expired", "no_answer", "overdue")        # reasons of failure that mean that time ran out


class Slow(msgspec.Struct, frozen=True, kw_only=True):
    """One request; times in milliseconds since its capture."""

    request: str
    at_s: float                      # time of submission, since the streams began
    where: str                       # at home, or the agents that ran it, in order
    model: str                       # with its variant
    end_ms: float
    deadline_ms: float
    ending: str                      # completed, late or failed: REASON
    segments: list[Segment]
    fell_back_ms: float | None       # when it was queued at home after an offload
    by_guard: bool                   # its guard fired
    preempted: int

    @property
    def ending_text(self) -> str:
        """Its duration and ending."""
        return milliseconds(self.end_ms) + ("" if self.ending == "completed" else f", {self.ending}")


def slowest(run: Run, stream: str) -> list[Slow]:
    """The slowest results of a stream, then some requests that ran out of time; each the longest first."""
    c = run.requests
    most = max(IN_ALL // max(len(run.streams), 1), AT_LEAST)
    took_ms = (c["ended_ns"] - c["captured_ns"]) / 1e6
    of_stream = (c["stream"] == stream) & (c["captured_ns"] > 0) & (c["ended_ns"] > 0)
    order = np.argsort(-took_ms, kind="stable")
    results = order[(of_stream & ~np.isnan(c["latency_ms"]))[order]][:most]
    failed = order[(of_stream & (c["ending"] == "failed") & np.isin(c["reason"].astype(str), BY_TIME))[order]][:FAILED]
    return [_slow(c, i) for i in [*results.tolist(), *failed.tolist()]]


def _slow(c: Columns, i: int) -> Slow:
    captured_ns, home, asked = int(c["captured_ns"][i]), str(c["agent"][i]), str(c["offloaded_to"][i])
    legs = [str(leg["agent"]) for leg in c["legs"][i]]
    back_home = 0 < c["sent_ns"][i] <= c["queued_ns"][i]
    return Slow(
        request=f"{home}/{c['boot'][i]}/{c['sequence'][i]}", at_s=float(c["at_s"][i]),
        where=" → ".join(legs) if legs else f"→ {asked}" if asked else "at home",
        model=f"{c['model'][i]} {c['variant'][i]}".strip(), end_ms=(int(c["ended_ns"][i]) - captured_ns) / 1e6,
        deadline_ms=(int(c["deadline_ns"][i]) - captured_ns) / 1e6,
        ending=f"failed: {c['reason'][i]}" if c["ending"][i] == "failed" else str(c["ending"][i]),
        segments=segments(c, i), fell_back_ms=(int(c["queued_ns"][i]) - captured_ns) / 1e6 if back_home else None,
        by_guard=bool(c["guard_fired"][i]), preempted=int(c["preempted"][i]),
    )
