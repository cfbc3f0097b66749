"""Makes placements with their forecast and a line for people."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.outcome import StreamOutcome
from swarm.planner.options.instance import Instance
from swarm.planner.options.option import Option
from swarm.planner.solvers.judge import Judge, Verdict

MOSTLY = 0.8                         # share on time: a stream with less by plan stays as placed even where it is late


def that_stay(instance: Instance, judge: Judge, verdict: Verdict) -> list[bool]:
    """Which streams stay as placed, or at home, even where they are late: those that miss by plan."""
    stayed = {(p.agent, p.stream) for p in instance.before if p.stays}
    # one that is held was placed there before, and stays if it did then
    return [stream.key in stayed if len(options) == 1 else share < MOSTLY for stream, options, share in zip(
        instance.streams, instance.options, judge.own(verdict.expected).tolist(), strict=True)]


def with_reasons(instance: Instance, judge: Judge, verdict: Verdict, stays: Sequence[bool]) -> list[Placement]:
    """The placements of a verdict, each with its predicted latency and its reason. stays: see `that_stay`."""
    placements: list[Placement] = []
    outcomes = verdict.outcome.streams
    for number, bare in enumerate(instance.placements(verdict.assignment)):
        predicted = outcomes[judge.number(number)]
        options = instance.options[number]
        option = options[verdict.assignment[number]]
        at_home = next((o for o in options if o.home), None)
        placements.append(msgspec.structs.replace(
            bare, predicted_s=round(predicted.mean_s, 6), predicted_p95_s=round(predicted.p95_s, 6),
            predicted_on_time=round(predicted.on_time, 4), low=round(predicted.low, 4), high=round(predicted.high, 4),
            stays=stays[number], why=_why(option, at_home, predicted)))
    return placements


def _why(option: Option, at_home: Option | None, predicted: StreamOutcome) -> str:
    """Where, and what the latency consists of; for a way with peers also that of an idle home."""
    wait_s = predicted.mean_s - option.idle_s
    parts = [f"{option.transfer_s * 1e3:.0f} ms link"] * (not option.home)
    parts.append(f"{option.mean_s * 1e3:.0f} ms run")
    parts += [f"{wait_s * 1e3:.0f} ms wait"] * (wait_s >= 5e-4)
    place = "home" if option.home else " > ".join(option.stops)
    planned = f"{place}: {' + '.join(parts)}, on time {predicted.on_time:.2f}"
    if option.home:
        return planned
    return f"{planned}; idle home {at_home.idle_s * 1e3:.0f} ms" if at_home else f"{planned}; home has no such model"
