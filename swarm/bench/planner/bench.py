"""The planner's search: how far plans are behind the best that is found in a much longer time.

Problems are drawn, from idle to overloaded. Each is solved with the planner's budget, by the clock, everything counted;
then by greedy construction alone, and by long searches from several starts. All plans are judged by one simulation over
phases that no search has seen. `behind` is the share of results on time that a plan lacks, in points, a result weighing
ten times one of the next lower priority; `class_behind`: the share that it lacks of the first priority, from the most
important one on, in which it differs.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import msgspec

from swarm.bench.planner import exact, scale
from swarm.bench.planner.problems import TIGHTNESS, drawn
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Placement
from swarm.core.settings import validation
from swarm.core.settings.errors import BadInput
from swarm.core.units import seconds
from swarm.planner.explanation import points
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.options.instance import Instance
from swarm.planner.problem import Problem, in_order
from swarm.planner.process import ThreadWorkers
from swarm.planner.shards.sharded import MOST_WHOLE
from swarm.planner.solvers.budget import ClockBudget
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.place import BUDGET_S, place
from swarm.planner.solvers.solve import possible
from swarm.telemetry.text_table import text_table

NEEDS = ("numba",)
ROBOTS, STAGES, PROBLEMS, LONG_S = 50, 200, 20, 60.0
STARTS = ("best", "greedy", "local", "best_single_peer")
PHASES, UNSEEN = 24, 1000            # the sets of phases that judge
DIFFERS = 0.05                       # points: shares of a priority that are closer count as equal


class Solved(msgspec.Struct, frozen=True):
    """One problem."""

    tightness: float
    took_s: float
    feasible: bool                   # every stream that can be placed is placed where it can run
    behind: float                    # points
    greedy_behind: float
    class_behind: float
    on_time: float                   # of all results, by the planner


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--exact", action="store_true",
                   help="small problems instead, of which all plans are tried; with --problems")
    p.add_argument("--robots", type=int, metavar="N", default=ROBOTS, help=f"default: {ROBOTS}")
    p.add_argument("--stages", type=int, metavar="N", default=STAGES, help=f"of all streams; default: {STAGES}")
    p.add_argument("--problems", type=int, metavar="N",
                   help=f"default: {PROBLEMS}; {scale.PROBLEMS} of more than {MOST_WHOLE} robots, placed by shards")
    p.add_argument("--budget-ms", type=float, metavar="MS", default=BUDGET_S * 1e3, dest="budget_ms",
                   help=f"of the planner; default: {BUDGET_S * 1e3:g}")
    p.add_argument("--long-s", type=float, metavar="S", default=LONG_S, dest="long_s",
                   help=f"of all long searches of one problem together; default: {LONG_S:g}")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput for a number out of range."""
    shards = given.robots > MOST_WHOLE and not given.exact
    problems = given.problems
    if problems is None:
        problems = scale.PROBLEMS if shards else PROBLEMS
    for option, value, low, high in (
            ("--robots", given.robots, 1, 10_000), ("--stages", given.stages, 1, 100_000),
            ("--problems", problems, 1, 1000), ("--budget-ms", given.budget_ms, 1.0, 60_000.0),
            ("--long-s", given.long_s, 0.1, 3600.0)):
        if not low <= value <= high:
            raise BadInput(option, validation.shown(value), f"from {low:g} to {high:g}")
    if shards:
        return scale.run(given, problems, progress)
    if given.exact:
        return exact.tried(problems, progress)
    rows: list[Solved] = []
    workers = ThreadWorkers()
    place(drawn(0, 3, 3))                            # what is loaded on first use is loaded
    for seed in range(problems):
        progress(f"problem {seed + 1} of {problems}")
        rows.append(_solved(seed, given, workers))
    return {"robots": given.robots, "stages": given.stages, "problems": problems, "long_s": given.long_s,
            **_figures(rows, given.budget_ms),
            "by_tightness": {f"{tight:g}": _figures(some, given.budget_ms) for tight in TIGHTNESS
                             if (some := [row for row in rows if row.tightness == tight])}}


def _figures(rows: list[Solved], budget_ms: float) -> dict[str, Any]:
    took = sorted(row.took_s * 1e3 for row in rows)
    return {
        "budget_ms": budget_ms, "took_ms_p50": round(statistics.median(took), 1), "took_ms_max": round(took[-1], 1),
        "feasible_ratio": sum(row.feasible for row in rows) / len(rows),
        "behind_mean_points": round(statistics.mean(row.behind for row in rows), 3),
        "behind_max_points": round(max(row.behind for row in rows), 3),
        "greedy_behind_points": round(statistics.mean(row.greedy_behind for row in rows), 3),
        "class_behind_max_points": round(max(row.class_behind for row in rows), 3),
        "on_time": round(statistics.mean(row.on_time for row in rows), 4),
    }


def _solved(seed: int, given: argparse.Namespace, workers: ThreadWorkers) -> Solved:
    clock, problem = MonotonicClock(), drawn(seed, given.robots, given.stages)
    begun = clock.now_ns()
    planned = place(problem, budget=ClockBudget(clock, given.budget_ms / 1e3, workers))
    took_s = seconds(clock.now_ns() - begun)
    instance = Instance(problem)
    greedy = instance.placements(Formula(instance).completed([None] * len(instance.streams))[1])
    long = _long(problem, clock, given.long_s)
    judge = Judge(problem)
    mine, by_greedy = judge.judged(planned.placements), judge.judged(greedy)
    best = max([*map(judge.judged, long), mine, by_greedy], key=lambda one: one.points)
    whole = len(possible(problem, planned.placements)) == len(instance.streams)
    due = sum(stream.spec.rate_hz for stream in problem.streams)
    return Solved(
        TIGHTNESS[seed % len(TIGHTNESS)], took_s, whole, best.points - mine.points, best.points - by_greedy.points,
        _class_behind(best.shares, mine.shares),
        sum(share * judge.rates[priority] for priority, share in mine.shares.items()) / 100.0 / due)


def _long(problem: Problem, clock: MonotonicClock, seconds_in_all: float) -> list[list[Placement]]:
    """The plans of searches from several starts, with new seeds until their time has passed."""
    budget, each_s = ClockBudget(clock, seconds_in_all), seconds_in_all / len(STARTS)
    found: list[list[Placement]] = []
    while len(found) < len(STARTS) or budget.left_s(0.0) > 0.0:
        left_s = max(budget.left_s(0.0), 0.01)
        found.append(place(problem, budget=ClockBudget(clock, min(each_s, left_s)), seed=1 + len(found),
                           start=STARTS[len(found) % len(STARTS)]).placements)
    return found


class Judged(msgspec.Struct, frozen=True):
    """What becomes of one plan: shares on time in points, weighted over all results, and by priority, the most
    important one first."""

    points: float
    shares: dict[int, float]


class Judge:
    """Judges plans of one problem by simulation, over phases that no search has seen."""

    def __init__(self, problem: Problem) -> None:
        self._problem = in_order(problem)
        self._simulator = Simulator(self._problem)
        self.rates: dict[int, float] = {}
        for stream in problem.streams:
            self.rates[stream.spec.priority] = self.rates.get(stream.spec.priority, 0.0) + stream.spec.rate_hz

    def judged(self, placements: list[Placement]) -> Judged:
        """A plan."""
        outcome = self._simulator.outcome(placements, PHASES, UNSEEN)
        good: dict[int, float] = dict.fromkeys(sorted(self.rates, reverse=True), 0.0)
        for stream, share in zip(self._problem.streams, outcome.on_time.tolist(), strict=True):
            good[stream.spec.priority] += stream.spec.rate_hz * share
        return Judged(points(self._problem, outcome),
                      {priority: 100.0 * rate_hz / self.rates[priority] for priority, rate_hz in good.items()})


def _class_behind(best: dict[int, float], mine: dict[int, float]) -> float:
    for priority, share in best.items():
        if abs(share - mine[priority]) > DIFFERS:
            return max(share - mine[priority], 0.0)
    return 0.0


def as_text(figures: dict[str, Any]) -> str:
    if figures.get("exact"):
        return exact.as_text(figures)
    if "growth" in figures:
        return scale.as_text(figures)
    rows = [[tight, f"{row['took_ms_p50']:g}", f"{row['on_time']:.3f}", f"{row['behind_mean_points']:.2f}",
             f"{row['behind_max_points']:.2f}", f"{row['greedy_behind_points']:.2f}",
             f"{row['class_behind_max_points']:.2f}", f"{row['feasible_ratio']:g}"]
            for tight, row in [*figures["by_tightness"].items(), ("any", figures)]]
    head = ["tightness", "ms", "on time", "behind: mean", "most", "greedy", "first class", "feasible"]
    return f"{figures['robots']} robots, {figures['stages']} stages, {figures['problems']} problems\n" + text_table(
        head, rows)
