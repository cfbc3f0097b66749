"""The figures of `summary.json`, computed from the collected rows and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import msgspec
import numpy as np

from swarm.core.protocol.messages import PlannerNews, Slip, WorldNews
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import LaunchFile
from swarm.telemetry.accept import judge
from swarm.telemetry.figures import intervals, stats
from swarm.telemetry.figures import planner as planner_figures
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.figures.due import DueFrames, of_rows
from swarm.telemetry.figures.host import overloaded_by
from swarm.telemetry.figures.latency import after_warmup, latency, on_time
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.recovery import fault_records
from swarm.telemetry.figures.recovery.fault_records import FaultDone, Loss
from swarm.telemetry.figures.remarks import GONE
from swarm.telemetry.ledger import Row, Statistics, Tally, on_a_peer
from swarm.telemetry.summary_types import (
    AgentFigures,
    AgentRecord,
    Batched,
    BatteryFigures,
    LedgerFigures,
    LoopFigures,
    Meaning,
    Missed,
    Offload,
    Preempted,
    Requests,
    StreamFigures,
    Summary,
    Tool,
    WorldFigures,
)

NO_LOOPS: Mapping[str, tuple[float, float]] = {}


def summarise(
    *, launch: LaunchFile, boards: Mapping[str, Board], rows: Sequence[Row], ledger: Statistics, agents: AgentBook,
    world: WorldNews | None, slips: Sequence[Slip], planner: Sequence[PlannerNews], planner_starts: int,
    plans: PlanHistory, faults: Sequence[FaultDone], losses: Sequence[Loss], ran_s: float, interrupted: bool = False,
    late_ms: tuple[float, float] = (0.0, 0.0), loops: Mapping[str, tuple[float, float]] = NO_LOOPS,
) -> Summary:
    """The contents of `summary.json`.

    Args: boards: all boards of the fleet, by name. rows: a row per due frame. ledger: of the closed Ledger. world: its
    last report, or None. slips: its slips. planner: all its reports, from so many starts. plans: those that held.
    losses: peers that agents counted as lost. ran_s: how long the streams ran, which is less than the launch file's
    duration_s when a run was stopped. late_ms: how late the collector's own loop ran its timers, 99th percentile and at
    most. loops: the same of world and planners, by name. A latency without results is null; a ratio over nothing is 0.
    """
    total, streams, owned = Tally(), {s.name: Tally() for s in launch.streams}, {}
    for row in rows:
        for tally in (total, streams.setdefault(row.span.stream, Tally()),
                      owned.setdefault(row.span.request.agent, Tally())):
            tally.add(row)
    on_peers = [r.span for r in rows if r.span.offloaded_to]
    board_of = {robot: fleet.board for fleet in launch.fleet for robot in fleet.robots()}
    figures = {name: agents.figures(name) for name in board_of}
    emulated = [f for name, f in figures.items() if boards[board_of[name]].emulated]
    overloaded = overloaded_by(rows, emulated, slips, faults, ran_s)
    frames = of_rows(rows, {stream.name: stream.deadline_s for stream in launch.streams})
    gone = [name for name, of_agent in figures.items() if of_agent.status in GONE]
    energy_j, charge = agents.energy()
    summary = Summary(
        scenario=launch.scenario, seed=launch.seed, clock=launch.clock,
        network="shaped" if launch.links else launch.network, policy=launch.policy,
        behaviour=launch.behaviour, perception=launch.perception,
        robots=len(board_of), duration_s=launch.duration_s, ran_s=round(ran_s, 3),
        first_result_s=_rounded(ledger.first_result_s), requests=Requests(**_counts(total)),
        latency_ms=latency(frames), on_time_ratio=_rounded(total.on_time_ratio), on_time_interval=on_time(frames)[1],
        after_warmup=after_warmup(frames, launch.warmup_s),
        offload=Offload(
            share=_rounded(total.offload_share),
            peers=len({peer for r in rows if r.span.ending == "completed" and on_a_peer(r.span)
                       for peer in r.span.asked}),
            guarded=sum(s.guarded for s in on_peers), unguarded=sum(not s.guarded for s in on_peers),
            guard_fired=sum(s.guard_fired for s in on_peers),
        ),
        preempted=_preempted(rows), batched=_batched(rows),
        planner=planner_figures.figures(planner, planner_starts),
        forecast=planner_figures.forecasts(frames, plans), forecast_intervals=intervals.held(frames, plans),
        world=WorldFigures(
            steps=world.steps if world else 0,
            real_time_factor=_rounded(world.real_time_factor) if world else 0.0,
            lag_ms_p99=_rounded(world.lag_ms_p99) if world else 0.0,
            out_of_reach=_rounded(world.out_of_reach) if world else None,
        ),
        loop_late_ms_p99=_rounded(max([late_ms[0], *(f.loop_late_ms_p99 for f in figures.values())])),
        loop_late_ms_max=_rounded(max([late_ms[1], *(f.loop_late_ms_max for f in figures.values())])),
        behaviour_ms_p99=_rounded(max([f.behaviour_ms_p99 for f in figures.values()], default=0.0)),
        loops={name: LoopFigures(late_ms_p99=_rounded(p99), late_ms_max=_rounded(most))
               for name, (p99, most) in sorted(loops.items())},
        energy_j=energy_j, charge=charge, mission=_mission(world), measures=_measures(world), interrupted=interrupted,
        host_overloaded=bool(overloaded), overloaded_by=overloaded,
        faults=fault_records.records(faults, rows, losses, frames, gone),
        streams={s.name: _stream(s.deadline_s, streams[s.name], frames.where(frames.stream == s.name), launch.warmup_s)
                 for s in launch.streams},
        agents={name: _agent(board, name, figures[name], owned.get(name, Tally()), agents.battery(name))
                for name, board in board_of.items()},
        ledger=LedgerFigures(**{name: getattr(ledger, name) for name in LedgerFigures.__struct_fields__}),
        tool=Tool(emulated_boards=bool(emulated)),
    )
    summary.accept = judge(launch.accept, msgspec.to_builtins(summary))
    summary.accepted = all(rule.holds for rule in summary.accept) and not interrupted
    return summary


def _mission(world: WorldNews | None) -> dict[str, float | str]:
    """The measures by name, and the name of the headline measure; empty if the world never reported."""
    if world is None:
        return {}
    values = {measure.name: _rounded(measure.value) for measure in world.mission.measures}
    return {"headline": world.mission.headline, **values}


def _measures(world: WorldNews | None) -> dict[str, Meaning]:
    measures = world.mission.measures if world else []
    return {measure.name: Meaning(unit=measure.unit, text=measure.text) for measure in measures}


def _counts(tally: Tally) -> dict[str, Any]:
    return {"due": tally.due, "missed": Missed(**tally.missed_by), "submitted": tally.submitted,
            "completed": tally.completed, "late": tally.late, "failed": tally.failed, "lost": tally.open,
            "failed_by": dict(sorted(tally.failed_by.items()))}


def _preempted(rows: Sequence[Row]) -> Preempted:
    """Requests whose run at home was preempted for a more urgent one."""
    hit = [r.span for r in rows if r.span.preempted]
    aside_ms = stats.quantile(np.array([s.aside_s * 1e3 for s in hit]), 0.95)
    return Preempted(requests=len(hit), times=sum(s.preempted for s in hit),
                     aside_ms_p95=_rounded(aside_ms.value if aside_ms else None))


def _batched(rows: Sequence[Row]) -> Batched:
    """Requests that ran in a batch, and the number of inputs of the largest batch."""
    hit = [r.span.batch for r in rows if r.span.batch > 1]
    return Batched(requests=len(hit), largest=max(hit, default=1))


def _stream(deadline_s: float, tally: Tally, frames: DueFrames, warmup_s: float) -> StreamFigures:
    return StreamFigures(
        **_counts(tally), latency_ms=latency(frames), deadline_ms=_rounded(deadline_s * 1e3),
        on_time_ratio=_rounded(tally.on_time_ratio), on_time_interval=on_time(frames)[1],
        after_warmup=after_warmup(frames, warmup_s), offload_share=_rounded(tally.offload_share))


def _agent(board: str, name: str, figures: AgentFigures, tally: Tally, battery: BatteryFigures | None) -> AgentRecord:
    rounded = msgspec.structs.replace(figures, busy_share=_rounded(figures.busy_share))
    return AgentRecord(
        **msgspec.structs.asdict(rounded), board=board, role=name.rpartition("_")[0], due=tally.due,
        missed=Missed(**tally.missed_by), submitted=tally.submitted, on_time_ratio=_rounded(tally.on_time_ratio),
        offload_share=_rounded(tally.offload_share), battery=battery)


@overload
def _rounded(value: float) -> float: ...
@overload
def _rounded(value: float | None) -> float | None: ...
def _rounded(value: float | None) -> float | None:
    """Six decimals: without the noise of binary fractions."""
    return None if value is None else round(value, 6)
