"""The planner's forecasts beside what then comes in virtual time, on random small teams, overloaded ones above all.

Each team is flown twice: under the planner's plan, and with every stream at a drawn place. A stream's share on time is
forecast by simulation and, as the reference, by formula. Streams are told apart by the load that the formula expects
where they run. `bias` and `error` are the mean and the mean absolute difference, forecast minus observed; `inside`: the
share of observed values in the 95 % interval, which a share of so few requests may leave by chance, too.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from swarm.bench.forecast.flights import Flight, fly
from swarm.bench.forecast.teams import drawn
from swarm.core.policy import draw
from swarm.core.policy.plan import Placement
from swarm.core.settings import validation
from swarm.core.settings.errors import BadInput
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.options.instance import Instance
from swarm.planner.problem import Problem, in_order
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.place import place
from swarm.telemetry.text_table import text_table

NEEDS = ("numba",)
TEAMS, DURATION_S = 100, 40.0
SETTLED_S = 8.0                      # frames that fell due earlier do not count
PHASES = 24
BUDGET_S = 0.1
LOADS = (0.8, 1.0, 1.4)              # bounds between the rows


class Seen(msgspec.Struct, frozen=True):
    """One stream of one flight: shares on time."""

    load: float                      # of the executors where it runs
    requests: int
    observed: float
    simulated: float
    low: float
    high: float
    by_formula: float


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--teams", type=int, metavar="N", default=TEAMS, help=f"how many; default: {TEAMS}")
    p.add_argument("--duration", type=float, metavar="S", default=DURATION_S,
                   help=f"simulated seconds of each flight; default: {DURATION_S:g}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput for an invalid number of teams, or duration."""
    for option, value, low, high in (("--teams", given.teams, 1, 10_000), ("--duration", given.duration, 10.0, 600.0)):
        if not low <= value <= high:
            raise BadInput(option, validation.shown(value), f"from {low:g} to {high:g}")
    seen: list[Seen] = []
    for seed in range(given.teams):
        progress(f"team {seed + 1} of {given.teams}")
        launch = drawn(seed, given.duration)
        for chooses in (planned, drawn_places):
            seen += compared(fly(launch, chooses))
    bounds = (0.0, *LOADS, float("inf"))
    rows = [_row(f"{low:g} to {high:g}", [one for one in seen if low <= one.load < high])
            for low, high in itertools.pairwise(bounds)]
    missing = [one for one in seen if one.observed < 0.97]
    return {"teams": given.teams, "duration_s": given.duration,
            "rows": [*rows, _row("any", seen), _row("any, observed below 0.97", missing)]}


def planned(problem: Problem) -> list[Placement]:
    """The planner's plan."""
    return place(problem, budget=CountedBudget(BUDGET_S), limit_churn=False).placements


def drawn_places(problem: Problem) -> list[Placement]:
    """Every stream at a drawn place, where it stays: a forecast is of what comes if all follow the plan."""
    instance = Instance(problem)
    places = tuple(int(draw.uniform(0, "drawn place", *stream.key) * len(options))
                   for stream, options in zip(instance.streams, instance.options, strict=True))
    return [msgspec.structs.replace(placement, stays=True) for placement in instance.placements(places)]


def compared(flight: Flight) -> list[Seen]:
    """Forecast and observed, stream by stream."""
    problem = in_order(flight.problem)
    outcome = Simulator(problem).outcome(flight.placements, PHASES)
    instance = Instance(problem, flight.placements)
    formula = Formula(instance).forecast(tuple(number or 0 for number in instance.previous))
    where = {(one.agent, one.stream): one.where[-1] for one in flight.placements}
    agents = {agent.name: n for n, agent in enumerate(instance.agents)}
    by_formula = {stream.key: one.on_time for stream, one in zip(instance.streams, formula.streams, strict=True)}
    seen: list[Seen] = []
    for stream, forecast in zip(problem.streams, outcome.streams, strict=True):
        rows = [row for row in flight.rows if row.due_s >= SETTLED_S
                and (row.span.request.agent, row.span.stream) == stream.key]
        if rows and stream.key in where:
            observed = sum(row.span.ending == "completed" for row in rows) / len(rows)
            seen.append(Seen(formula.utilisation[agents[where[stream.key]]], len(rows), observed, forecast.on_time,
                             forecast.low, forecast.high, by_formula[stream.key]))
    return seen


def _row(load: str, seen: list[Seen]) -> dict[str, Any]:
    if not seen:
        return {"load": load, "streams": 0}
    observed = np.array([one.observed for one in seen])
    row: dict[str, Any] = {"load": load, "streams": len(seen), "observed": round(float(observed.mean()), 4)}
    for name in ("simulated", "by_formula"):
        off = np.array([getattr(one, name) for one in seen]) - observed
        row[name] = {"bias": round(float(off.mean()), 4), "error": round(float(np.abs(off).mean()), 4),
                     "worst": round(float(np.abs(off).max()), 4)}
    spread = 2.0 * np.sqrt(np.maximum(observed * (1.0 - observed), 0.01) / [one.requests for one in seen])
    inside = [one.low - by <= one.observed <= one.high + by for one, by in zip(seen, spread, strict=True)]
    row["inside"] = round(float(np.mean(inside)), 4)
    return row


def as_text(figures: dict[str, Any]) -> str:
    rows = [[row["load"], str(row["streams"]), *([f"{row['observed']:.3f}", *(
        f"{row[name][key]:+.3f}" if key == "bias" else f"{row[name][key]:.3f}"
        for name in ("simulated", "by_formula") for key in ("bias", "error", "worst")), f"{row['inside']:.2f}"]
        if row["streams"] else [""] * 8)] for row in figures["rows"]]
    head = ["load", "streams", "on time", "simulated: bias", "error", "worst", "by formula: bias", "error", "worst",
            "inside"]
    return text_table(head, rows, right=range(1, len(head)))
