"""Large teams, which are placed by shards: how long it takes, how it grows, and how far it is behind the whole."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from swarm.bench.planner.problems import TIGHTNESS, drawn
from swarm.bench.planner.processes import Processes
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Placement
from swarm.core.units import seconds
from swarm.planner.forecast.simulation.outcome import Simulator
from swarm.planner.options.instance import Instance
from swarm.planner.problem import Problem, in_order
from swarm.planner.shards.sharded import REFINED_ROUNDS, Sharded, in_parallel, place_by_shards
from swarm.planner.solvers.budget import ClockBudget
from swarm.planner.solvers.place import place
from swarm.planner.solvers.solve import possible
from swarm.telemetry.text_table import text_table

PROCESSES = 2
PROBLEMS = len(TIGHTNESS)            # one of each tightness
MOST_JUDGED = 2000                   # robots of a team that is simulated, and for comparison placed, as a whole
PHASES, UNSEEN = 4, 1000             # the sets of phases that judge
SIZES = (0.25, 0.5, 1.0)             # of the team, for the growth
TIMEOUT_S = 600.0                    # of a round


class Solved(msgspec.Struct, frozen=True):
    """One problem. Shares on time are of all results; None: the team is too large for it."""

    took_s: float
    cpu_s: float                     # of all processes: on a machine that is busy otherwise it tells more
    shards: int
    feasible: bool                   # every stream that can be placed is placed where it can run
    forecast: float
    on_time: float | None
    refined: float | None            # with a second round, so with traffic over the borders of the first
    refined_took_s: float | None
    unsharded: float | None


def run(given: argparse.Namespace, problems: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Figures of a large team. given: as for `bench.py`."""
    progress("starting processes")
    processes = Processes(PROCESSES, load)
    try:
        rows: list[Solved] = []
        for seed in range(problems):
            progress(f"problem {seed + 1} of {problems}")
            rows.append(_solved(drawn(seed, given.robots, given.stages), processes, given.long_s))
        progress("smaller teams")
        growth = [(robots, _placed(drawn(0, robots, round(given.stages * share)), processes)[1:])
                  for share in SIZES if (robots := round(given.robots * share))]
    finally:
        processes.close()
    behind = [100.0 * (row.unsharded - row.on_time) / row.unsharded for row in rows
              if row.unsharded and row.on_time is not None]
    return {
        "robots": given.robots, "stages": given.stages, "problems": len(rows), "workers": PROCESSES,
        "long_s": given.long_s,
        "took_s": round(statistics.median(row.took_s for row in rows), 3),
        "took_s_max": round(max(row.took_s for row in rows), 3),
        "cpu_s": round(statistics.median(row.cpu_s for row in rows), 3), "shards": rows[0].shards,
        "feasible_ratio": sum(row.feasible for row in rows) / len(rows),
        "on_time_forecast": _mean([row.forecast for row in rows]), "on_time": _mean([row.on_time for row in rows]),
        "two_rounds_on_time": _mean([row.refined for row in rows]),
        "two_rounds_took_s": _mean([row.refined_took_s for row in rows]),
        "unsharded_on_time": _mean([row.unsharded for row in rows]),
        "behind_unsharded_percent": round(statistics.mean(behind), 3) if behind else None,
        "behind_unsharded_percent_max": round(max(behind), 3) if behind else None,
        "growth": [{"robots": robots, "took_s": round(took_s, 3), "cpu_s": round(cpu_s, 3)}
                   for robots, (took_s, cpu_s) in growth],
        **growth_of([(robots, took_s) for robots, (took_s, _) in growth]),
        "cpu_growth_by_n_log_n": growth_of([(robots, cpu_s) for robots, (_, cpu_s) in growth])["growth_by_n_log_n"],
    }


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return round(statistics.mean(known), 4) if known else None


def growth_of(growth: list[tuple[int, float]]) -> dict[str, float]:
    """By how much the time grows: exponent of n, and beside n log n (1: just so; less is better)."""
    (few, first_s), (many, last_s) = growth[0], growth[-1]
    return {"growth_exponent": round(math.log(last_s / first_s) / math.log(many / few), 3),
            "growth_by_n_log_n": round(last_s / first_s / (many * math.log(many) / (few * math.log(few))), 3)}


def load() -> None:
    """Make a process ready: what is loaded on first use is loaded."""
    place(drawn(0, 3, 3))


def _placed(problem: Problem, processes: Processes, rounds: int = 1) -> tuple[Sharded, float, float]:
    """The result, the time that it took, and the processor time (s)."""
    clock = MonotonicClock()
    before_s, begun = processes.cpu_s(), clock.now_ns()
    sharded = place_by_shards(problem, [], in_parallel(processes, TIMEOUT_S), rounds=rounds)
    took_s = seconds(clock.now_ns() - begun)
    return sharded, took_s, processes.cpu_s() - before_s


def _solved(problem: Problem, processes: Processes, long_s: float) -> Solved:
    sharded, took_s, cpu_s = _placed(problem, processes)
    assert sharded.solution is not None              # a process that ends is an error
    placements = sharded.solution.placements
    feasible = len(possible(problem, placements)) == len(Instance(problem).streams)
    on_time = refined = refined_s = unsharded = None
    if len(problem.agents) <= MOST_JUDGED:
        simulator = Simulator(in_order(problem))
        on_time = _on_time(problem, simulator, placements)
        again, refined_s, _ = _placed(problem, processes, REFINED_ROUNDS)
        refined = _on_time(problem, simulator, again.solution.placements if again.solution else [])
        whole = place(problem, budget=ClockBudget(MonotonicClock(), long_s))
        unsharded = _on_time(problem, simulator, whole.placements)
    return Solved(took_s, cpu_s, sharded.shards, feasible, sharded.solution.on_time, on_time, refined, refined_s,
                  unsharded)


def _on_time(problem: Problem, simulator: Simulator, placements: Sequence[Placement]) -> float:
    """Share of all results, in a simulation of the whole team over phases that no search has seen."""
    rates = [stream.spec.rate_hz for stream in in_order(problem).streams]
    outcome = simulator.outcome(placements, PHASES, UNSEEN)
    return sum(rate_hz * share for rate_hz, share in zip(rates, outcome.on_time.tolist(), strict=True)) / sum(rates)


def as_text(figures: dict[str, Any]) -> str:
    rows = [[f"{one['robots']}", f"{one['took_s']:.2f}"] for one in figures["growth"]]
    judged = "" if figures["on_time"] is None else (
        f"on time: {figures['on_time']:.3f}, after a second round {figures['two_rounds_on_time']:.3f} "
        f"({figures['two_rounds_took_s']:.2f} s); placed as a whole in "
        f"{figures['long_s']:g} s {figures['unsharded_on_time']:.3f}: {figures['behind_unsharded_percent']:.1f} % "
        f"behind on average, {figures['behind_unsharded_percent_max']:.1f} % at most\n")
    return (f"{figures['robots']} robots, {figures['stages']} stages, {figures['problems']} problems, "
            f"{figures['workers']} processes: {figures['took_s']:.2f} s, {figures['took_s_max']:.2f} s at most "
            f"({figures['cpu_s']:.2f} s of processors), in "
            f"{figures['shards']} searches of shards; feasible {figures['feasible_ratio']:g}\n{judged}"
            + text_table(["robots", "s"], rows)
            + f"grows as n^{figures['growth_exponent']:g}; {figures['growth_by_n_log_n']:g} times n log n, "
            f"in time of processors {figures['cpu_growth_by_n_log_n']:g} times\n")
