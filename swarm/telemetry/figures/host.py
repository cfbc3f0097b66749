"""Whether the machine kept up with the run. Where it did not, the figures of the run are not those of the swarm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from swarm.core.protocol.messages import Slip
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.ledger import Row
from swarm.telemetry.summary_types import AgentFigures

OVERRUN_LIMIT = 0.01                 # share of overruns among emulated runs
SLIP_LIMIT = 0.01                    # share of the run that simulated time may lose
OFFERED_LIMIT = 0.97                 # share of the due frames that must be submitted
STALL_S = 1.0                        # one robot counts if it misses as many frames as fall due in this time
AFTER_S = 1.0                        # a stopped or restarted process catches up within this time

BACK = ("restart", "stop")
"""Kinds of faults after which a process goes on; after the others it does not, or it never stops."""
SILENCING = (*BACK, "kill", "crash", "battery")
"""Kinds of faults that keep a process from its work."""


def overloaded_by(
    rows: Sequence[Row], emulated: Iterable[AgentFigures], slips: Iterable[Slip], faults: Sequence[FaultDone],
    ran_s: float,
) -> list[str]:
    """The reasons why the host was overloaded, for people; none: it kept up.

    rows: every due frame. emulated: figures of the agents on emulated boards. Frames that were missed, and time that
    was lost, because of an injected fault, a silent sensor or a crash are not the host's.
    """
    emulated = list(emulated)
    runs, overruns = sum(f.runs for f in emulated), sum(f.overruns for f in emulated)
    reasons = []
    if overruns > OVERRUN_LIMIT * runs:
        reasons.append(f"{_percent(overruns, runs)} of the emulated runs took longer than on their board")
    lost_s = sum(_lost_s(slip, faults) for slip in slips)
    if lost_s > SLIP_LIMIT * ran_s:
        reasons.append(f"simulated time lost {lost_s:.1f} s on real time")
    due = Counter(row.span.request.agent for row in rows)
    unoffered = Counter(
        row.span.request.agent for row in rows
        if row.span.ending == "missed" and row.span.reason != "body" and not _excused(row, faults))
    offered, total = sum(due.values()) - sum(unoffered.values()), sum(due.values())
    streams = len({(row.span.request.agent, row.span.stream) for row in rows})     # each may miss one at its ends
    if offered < OFFERED_LIMIT * total and total - offered > streams:
        reasons.append(f"{_percent(offered, total)} of the due frames were submitted")
    for robot, count in sorted(unoffered.items()):
        if count > (1.0 - OFFERED_LIMIT) * due[robot] and count >= STALL_S * due[robot] / max(ran_s, STALL_S):
            reasons.append(f"{robot} submitted {_percent(due[robot] - count, due[robot])} of its due frames")
    return reasons


def _excused(row: Row, faults: Iterable[FaultDone]) -> bool:
    """Whether a fault explains why this frame was missed: of its robot, or of the world."""
    for done in faults:
        from_s, to_s = _silent(done)
        if done.fault.target in (row.span.request.agent, "world") and from_s <= row.due_s <= to_s:
            return True
    return False


def _lost_s(slip: Slip, faults: Iterable[FaultDone]) -> float:
    """The time that a slip lost, without what was lost while a fault kept the world from its work."""
    silent = [_silent(done) for done in faults if done.fault.target == "world"]
    excused_s = sum(max(min(slip.to_s, to_s) - max(slip.from_s, from_s), 0.0) for from_s, to_s in silent)
    return max(slip.lost_s - excused_s, 0.0)


def _silent(done: FaultDone) -> tuple[float, float]:
    """From when to when this fault may keep its target from its work; from infinity to -infinity: it does not."""
    if done.done_s is None or done.fault.kind not in SILENCING:
        return math.inf, -math.inf
    ended_s = done.ended_s if done.fault.kind in BACK else None
    return done.done_s - AFTER_S, math.inf if ended_s is None else ended_s + AFTER_S


def _percent(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.1f} %" if whole else "-"
