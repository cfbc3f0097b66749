"""Makes placements with their reasons: one line per stream that explains the choice of the agent."""

from __future__ import annotations

from swarm.core.policy.plan import Placement
from swarm.planner.forecast import Change, Forecast, moved
from swarm.planner.instance import Assignment, Instance


def explain(instance: Instance, assignment: Assignment, forecast: Forecast) -> list[Placement]:
    """The placements of an assignment, each with its predicted latency and its reason."""
    placements: list[Placement] = []
    for number, stream in enumerate(instance.streams):
        option, predicted = instance.options[number][assignment[number]], forecast.streams[number]
        placements.append(Placement(
            agent=stream.agent, stream=stream.spec.name, variant=option.variant,
            where=[instance.agents[option.agent].name], predicted_s=round(predicted.latency_s, 6),
            predicted_p95_s=round(predicted.p95_s, 6),
            predicted_on_time=round(min(max(predicted.on_time, 0.0), 1.0), 4),
            why=_why(instance, assignment, forecast, number),
        ))
    return placements


def _why(instance: Instance, assignment: Assignment, forecast: Forecast, number: int) -> str:
    option = instance.options[number][assignment[number]]
    stream = forecast.streams[number]
    peer = instance.agents[option.agent].name
    behind = f" behind {_name(instance, stream.behind, number)}" if stream.behind is not None else ""
    wait = f" + {stream.wait_s * 1e3:.0f} ms wait{behind}" if stream.wait_s >= 5e-4 else ""
    link = "" if option.home else f"{option.transfer_s * 1e3:.0f} ms link + "
    place = "home" if option.home else peer
    as_planned = f"{place}: {link}{option.mean_s * 1e3:.0f} ms run{wait}, on time {stream.on_time:.2f}"
    if option.home:
        return as_planned
    at_home = [n for n, o in enumerate(instance.options[number]) if o.home]
    if not at_home:
        return f"home has no such model; {as_planned}"
    stay = moved(instance, forecast, option, instance.options[number][at_home[0]])
    return f"{_at_home(instance, forecast, stay, number, at_home[0])}; {as_planned}"


def _at_home(instance: Instance, planned: Forecast, stay: Change, number: int, at_home: int) -> str:
    """The disadvantage of running this stream at home, with everything else as planned."""
    stream = stay.streams[number]
    if planned.streams[number].on_time - stream.on_time >= 0.02:
        if stream.behind is not None and stream.behind_share >= 0.02:
            return f"home waits behind {_name(instance, stream.behind, number)} {stream.behind_share:.0%}"
        option = instance.options[number][at_home]
        return f"home {option.mean_s * 1e3:.0f} ms run, on time {stream.on_time:.2f}"
    worst = max(stay.streams, key=lambda n: (planned.streams[n].on_time - stay.streams[n].on_time, -n))
    loss = planned.streams[worst].on_time - stay.streams[worst].on_time
    if worst != number and loss >= 0.005:
        return f"at home {_name(instance, worst, number)} would wait behind it, {loss:.0%} more late"
    return f"home {stream.latency_s * 1e3:.0f} ms"


def _name(instance: Instance, stream: int, seen_from: int) -> str:
    """A stream's name, preceded by its agent's name if the agents differ."""
    other = instance.streams[stream]
    return other.spec.name if other.agent == instance.streams[seen_from].agent else f"{other.agent} {other.spec.name}"
