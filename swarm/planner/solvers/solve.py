"""What a solver does with a command: the planner's own search, or a placing policy with the forecast of its placements.

A placing policy may be a user's file. What it returns is checked, and placements that cannot be are left out: these
streams run at home. If it raises, all do; the solution says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.plan import Placement, is_chain, legs
from swarm.planner import policies
from swarm.planner.baseline import Team, whole
from swarm.planner.events import Solve
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.problem import Problem, in_order
from swarm.planner.shards.sharded import OneByOne, is_large, place_by_shards
from swarm.planner.solvers.budget import Budget
from swarm.planner.solvers.judge import FORECAST_PHASES, REQUEST_S
from swarm.planner.solvers.place import Solution, choices, place


def solved(command: Solve, budget: Budget, seed: int, places: str = "") -> Solution:
    """The solution of a command. places: the placing policy; empty: the planner's own search."""
    if not places and is_large(command.problem):
        found = place_by_shards(command.problem, command.previous, OneByOne(budget, command.turn // 2), seed=seed,
                                turn=command.turn % 2, limit_churn=command.limit_churn, held=command.held)
        return found.solution or failed(command, places, found.reason)
    if not places:
        return place(command.problem, command.previous, budget, seed, limit_churn=command.limit_churn,
                     held=command.held)
    problem = in_order(command.problem)
    try:
        found = policies.load(places)(problem, command.previous, budget)
        return _forecast(problem, possible(problem, found), command.previous, places)
    except Exception as error:   # noqa: BLE001 - a user's file: the planner tells it and goes on
        return failed(command, places, f"{type(error).__name__}: {error}")


def failed(command: Solve, places: str, why: str) -> Solution:
    """The solution without a solver: the placements stay; of a placing policy's file, all streams are at home.

    It has no forecast: it is made where nothing may take long.
    """
    placements = command.previous
    if places:
        team = Team(command.problem)
        placements = [whole(stream, own, stream.agent) for stream in team.streams()
                      if (own := team.usual(stream.agent, stream)) is not None]
    return Solution(
        placements=placements, score=(), on_time=0.0, solver=places.rpartition("/")[2], worked_s=0.0,
        changed=choices(placements) != choices(command.previous), failed=why)


def possible(problem: Problem, placements: Sequence[Placement]) -> list[Placement]:
    """Those that robots can do: their agents are there, have the variant, and are linked to the owner, which has the
    first leg if it has one. Raises: TypeError if it is no list of placements.
    """
    profiles = {(agent.name, p.model, p.variant): p for agent in problem.agents if agent.alive for p in agent.profiles}
    streams = {stream.key: stream for stream in problem.streams}
    for placement in placements:
        if not isinstance(placement, Placement):
            raise TypeError(f"a placement is a Placement, not {type(placement).__name__}")
    kept: dict[tuple[str, str], Placement] = {}
    for placement in placements:
        stream = streams.get((placement.agent, placement.stream))
        if stream is None or not placement.where:
            continue
        route = legs(placement.where)
        first = profiles.get((route[0].agent, stream.spec.model, placement.variant))
        if first is not None and (route[0].whole or is_chain(route, len(first.stages))) and all(
                (leg.agent, stream.spec.model, placement.variant) in profiles
                and ((placement.agent, leg.agent) in problem.links if leg.agent != placement.agent else n == 0)
                for n, leg in enumerate(route)):
            kept[stream.key] = placement
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
            predicted_on_time=round(one.on_time, 4), low=round(one.low, 4), high=round(one.high, 4),
            why=f"placed by {places}"))
    due = sum(stream.spec.rate_hz for stream in problem.streams)
    on_time = sum(stream.spec.rate_hz * by_stream[stream.key].on_time for stream in problem.streams)
    placed = {(p.agent, p.stream) for p in placements}
    return Solution(
        placements=told, score=(), on_time=on_time / due if due else 1.0, solver=places,
        worked_s=simulator.requests * REQUEST_S, changed=choices(placements) != choices(previous),
        unplaced=[stream for stream in problem.streams if stream.key not in placed],
        expected={key: one.on_time for key, one in by_stream.items()},
    )
