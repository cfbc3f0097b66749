"""Key `faults` of `summary.json`: which requests each fault hit, and how the on-time share recovered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from swarm.core.policy.faults import Fault
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.recovery.judge import Span, judge
from swarm.telemetry.ledger import Row
from swarm.telemetry.summary_types import FaultHit, FaultRecord, Recovery

DETECTED_S = 2.0                     # peers detect a death within this time
ECHO_S = 0.5                         # delayed messages arrive within this time after the end of a fault


class FaultDone(msgspec.Struct, frozen=True, kw_only=True):
    """A fault with its begin and end, in seconds since the streams began; None: it did not begin or end."""

    fault: Fault
    done_s: float | None = None
    ended_s: float | None = None     # end of a restart: the new process was ready


class Loss(NamedTuple):
    """An agent counted a peer as lost."""

    at_s: float
    agent: str
    peer: str


def crash(name: str, at_s: float) -> FaultDone:
    """A process that ended by itself, recorded like an injected fault."""
    return FaultDone(fault=Fault(at_s=round(at_s, 3), kind="crash", target=name), done_s=at_s)


def battery_empty(robot: str, at_s: float) -> FaultDone:
    """A robot whose battery ran out, recorded like an injected fault."""
    return FaultDone(fault=Fault(at_s=round(at_s, 3), kind="battery", target=robot), done_s=at_s)


def records(
    faults: Sequence[FaultDone], rows: Sequence[Row], losses: Sequence[Loss], frames: DueFrames, gone: Sequence[str]
) -> list[FaultRecord]:
    """A record per fault, in order of time. gone: robots that were dead at the end of the run."""
    begun = sorted((done for done in faults if done.done_s is not None), key=_begin_s)
    spans = [Span(round(_begin_s(done), 3), max(_begin_s(done), done.ended_s or 0.0)) for done in begun]
    recoveries = zip(begun, judge(frames, spans, gone), strict=True)
    made = [_record(done, hit(done, rows, losses), recovery) for done, recovery in recoveries]
    made += [_record(done, None, Recovery()) for done in faults if done.done_s is None]
    return sorted(made, key=lambda record: record.at_s)


def hit(done: FaultDone, rows: Iterable[Row], losses: Sequence[Loss]) -> FaultHit | None:
    """The requests that were open at any moment between the fault's begin and ECHO_S after its end.

    Without an end: until DETECTED_S after its begin. `own`: requests of the target. `peers`: requests of other agents
    that had asked the target, or had asked across the partition. `own_missed`, `peers_missed`: those that were late,
    failed or lost. `lost_by`: agents that counted the target as lost in this time. None: the fault has no target.
    """
    fault, from_s = done.fault, _begin_s(done)
    if not fault.target and not fault.groups:
        return None
    until_s = from_s + DETECTED_S if done.ended_s is None else done.ended_s + ECHO_S
    open_rows = [r for r in rows if r.span.ending != "missed" and r.at_s <= until_s
                 and (r.ended_at_s is None or r.ended_at_s >= from_s)]
    own = [r for r in open_rows if r.span.request.agent == fault.target]
    peers = [r for r in open_rows if _crossed(fault, r.span.request.agent, r.span.asked)]
    lost_by = {loss.agent for loss in losses
               if from_s <= loss.at_s <= until_s and _crossed(fault, loss.agent, [loss.peer])}
    return FaultHit(own=len(own), own_missed=_missed(own), peers=len(peers), peers_missed=_missed(peers),
                    lost_by=len(lost_by))


def _begin_s(done: FaultDone) -> float:
    return done.done_s or 0.0


def _record(done: FaultDone, hits: FaultHit | None, recovery: Recovery) -> FaultRecord:
    fault = done.fault
    return FaultRecord(
        **msgspec.structs.asdict(recovery), at_s=fault.at_s, kind=fault.kind, target=fault.target,
        sensor=fault.sensor, groups=fault.groups,
        for_s=fault.for_s or None, done_s=_rounded(done.done_s), ended_s=_rounded(done.ended_s), hit=hits)


def _crossed(fault: Fault, agent: str, peers: Collection[str]) -> bool:
    """Whether one of `peers` is the target, or is separated from `agent` by the partition."""
    if not fault.groups:
        return agent != fault.target and fault.target in peers
    side = next((group for group in fault.groups if agent in group), None)
    return side is not None and any(peer in group for group in fault.groups if group is not side for peer in peers)


def _missed(rows: Iterable[Row]) -> int:
    return sum(row.span.ending != "completed" for row in rows)


def _rounded(at_s: float | None) -> float | None:
    return None if at_s is None else round(at_s, 3)
