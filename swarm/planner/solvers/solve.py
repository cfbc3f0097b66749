"""What a solver does with a command: the planner's own search, or a placing policy with the forecast of its placements.

A placing policy may be a user's file. What it returns is checked, and placements that cannot be are left out: these
streams run at home. If it raises, all do; the solution says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner import policies
from swarm.planner.events import Solve
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.options.instance import Instance
from swarm.planner.problem import Problem, in_order
from swarm.planner.solvers.baselines import local
from swarm.planner.solvers.budget import Budget
from swarm.planner.solvers.judge import FORECAST_PHASES, REQUEST_S
from swarm.planner.solvers.place import Solution, choices, place


def solved(command: Solve, budget: Budget, seed: int, places: str = "") -> Solution:
    """The solution of a command. places: the placing policy; empty: the planner's own search."""
    if not places:
        return place(command.problem, command.previous, budget, seed, limit_churn=command.limit_churn)
    problem = in_order(command.problem)
    try:
        found = policies.load(places)(problem, command.previous, budget)
        placements = possible(problem, found)
    except Exception as error:   # noqa: BLE001 - a user's file: the planner tells it and goes on
        return failed(command, places, f"{type(error).__name__}: {error}")
    return _forecast(problem, placements, command.previous, places)


def failed(command: Solve, places: str, why: str) -> Solution:
    """The solution without a solver: the placements stay; of a placing policy's file, all streams are at home."""
    if not places:
        return Solution(placements=command.previous, score=(), on_time=0.0, solver="none", worked_s=0.0, changed=False,
                        failed=why)
    instance = Instance(command.problem)
    return msgspec.structs.replace(_forecast(
        in_order(command.problem), instance.placements(local(instance)), command.previous, places), failed=why)


def possible(problem: Problem, placements: Sequence[Placement]) -> list[Placement]:
    """Those of streams that are there, on agents that are there. Raises: TypeError if it is no list of placements."""
    agents = {agent.name for agent in problem.agents if agent.alive}
    streams = {stream.key for stream in problem.streams}
    for placement in placements:
        if not isinstance(placement, Placement):
            raise TypeError(f"a placement is a Placement, not {type(placement).__name__}")
    kept = {(p.agent, p.stream): p for p in placements
            if (p.agent, p.stream) in streams and p.where and agents.issuperset(p.where)}
    return [kept[key] for key in sorted(kept)]


def _forecast(problem: Problem, placements: list[Placement], previous: Sequence[Placement], places: str) -> Solution:
    places = places.rpartition("/")[2]
    simulator = Simulator(problem)
    outcome = simulator.outcome(placements, FORECAST_PHASES)
    by_stream = {stream.key: one for stream, one in zip(problem.streams, outcome.streams, strict=True)}
    told: list[Placement] = []
    for bare in placements:
        one = by_stream[bare.agent, bare.stream]
        told.append(msgspec.structs.replace(
            bare, predicted_s=round(one.mean_s, 6), predicted_p95_s=round(one.p95_s, 6),
            predicted_on_time=round(one.on_time, 4), why=f"placed by {places}"))
    due = sum(stream.spec.rate_hz for stream in problem.streams)
    on_time = sum(stream.spec.rate_hz * by_stream[stream.key].on_time for stream in problem.streams)
    placed = {(p.agent, p.stream) for p in placements}
    return Solution(
        placements=told, score=(), on_time=on_time / due if due else 1.0, solver=places,
        worked_s=simulator.requests * REQUEST_S, changed=choices(placements) != choices(previous),
        unplaced=[stream for stream in problem.streams if stream.key not in placed],
        expected={key: one.on_time for key, one in by_stream.items()},
    )
