"""Placements with their reasons: one line per stream that says why it runs where it runs."""

from __future__ import annotations

from swarm.core.policy.plan import Placement
from swarm.planner.forecast import Forecast, evaluate
from swarm.planner.instance import Assignment, Instance


def explain(instance: Instance, assignment: Assignment, forecast: Forecast) -> list[Placement]:
    """The placements of an assignment, each with its predicted latency and its reason."""
    made: list[Placement] = []
    for number, stream in enumerate(instance.streams):
        option = instance.options[number][assignment[number]]
        made.append(Placement(
            agent=stream.agent, stream=stream.spec.name, variant=option.variant,
            where=[instance.agents[option.agent].name], predicted_s=round(forecast.streams[number].latency_s, 6),
            why=_why(instance, assignment, forecast, number),
        ))
    return made


def _why(instance: Instance, assignment: Assignment, forecast: Forecast, number: int) -> str:
    option = instance.options[number][assignment[number]]
    mine = forecast.streams[number]
    peer = instance.agents[option.agent].name
    behind = f" behind {_name(instance, mine.behind, number)}" if mine.behind is not None else ""
    wait = f" + {mine.wait_s * 1e3:.0f} ms wait{behind}" if mine.wait_s >= 5e-4 else ""
    link = "" if option.home else f"{option.transfer_s * 1e3:.0f} ms link + "
    place = "home" if option.home else peer
    here = f"{place}: {link}{option.mean_s * 1e3:.0f} ms run{wait}, on time {mine.on_time:.2f}"
    if option.home:
        return here
    at_home = [n for n, o in enumerate(instance.options[number]) if o.home]
    if not at_home:
        return f"home has no such model; {here}"
    stay = (*assignment[:number], at_home[0], *assignment[number + 1:])
    return f"{_at_home(instance, forecast, evaluate(instance, stay), number, at_home[0])}; {here}"


def _at_home(instance: Instance, away: Forecast, stay: Forecast, number: int, at_home: int) -> str:
    """What would be worse if this stream stayed at home, with everything else as planned."""
    mine = stay.streams[number]
    if away.streams[number].on_time - mine.on_time >= 0.02:
        if mine.behind is not None and mine.behind_share >= 0.02:
            return f"home waits behind {_name(instance, mine.behind, number)} {mine.behind_share:.0%}"
        option = instance.options[number][at_home]
        return f"home {option.mean_s * 1e3:.0f} ms run, on time {mine.on_time:.2f}"
    hurt = max(range(len(instance.streams)), key=lambda n: (away.streams[n].on_time - stay.streams[n].on_time, -n))
    loss = away.streams[hurt].on_time - stay.streams[hurt].on_time
    if hurt != number and loss >= 0.005:
        return f"at home {_name(instance, hurt, number)} would wait behind it, {loss:.0%} more late"
    return f"home {mine.latency_s * 1e3:.0f} ms"


def _name(instance: Instance, stream: int, seen_from: int) -> str:
    """A stream's name, with its agent's where that is another one."""
    other = instance.streams[stream]
    return other.spec.name if other.agent == instance.streams[seen_from].agent else f"{other.agent} {other.spec.name}"
