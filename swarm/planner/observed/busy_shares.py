"""Measures the load of agents that the plan does not explain: fallbacks, guards and work for others."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.cost import leg_p50_s, leg_p95_s, named
from swarm.core.policy.plan import Leg, Placement, legs
from swarm.planner.options.option import mean_s
from swarm.planner.problem import Problem

GAIN = 0.05                          # of one heartbeat: a memory of 5 s at 4 Hz
SAMPLES = 24                         # fewer samples are ignored
MARGIN = 0.3                         # heartbeats may be in phase with frames: they bias the share by up to this
STEP = 0.2                           # loads are rounded to steps, so that noise does not change plans


class BusyShares:
    """Share of heartbeats that found work in hand, per agent, since the plan last changed."""

    def __init__(self) -> None:
        self._busy: dict[str, tuple[int, float]] = {}    # samples, smoothed share

    def add_sample(self, agent: str, busy_s: float) -> None:
        """Add the sample of one heartbeat. busy_s: work in hand."""
        samples, share = self._busy.get(agent, (0, 0.0))
        gain = max(GAIN, 1.0 / (samples + 1))
        self._busy[agent] = samples + 1, share + gain * ((busy_s > 0.0) - share)

    def forget(self, agent: str) -> None:
        self._busy.pop(agent, None)

    def clear(self) -> None:
        """Forget all shares, because the plan has changed."""
        self._busy.clear()

    def unexplained(self, problem: Problem, placements: Sequence[Placement]) -> dict[str, float]:
        """Utilisation per agent that these placements do not explain; for agents with one executor only.

        (With more executors a heartbeat reports the work per executor, which does not determine a share.)
        """
        measured = {a.name: self._busy[a.name][1] for a in problem.agents
                if a.executors == 1 and self._busy.get(a.name, (0, 0.0))[0] >= SAMPLES}
        if not any(share > MARGIN for share in measured.values()):
            return {}
        explained = _planned_loads(problem, placements)
        excess = {name: share - explained.get(name, 0.0) - MARGIN for name, share in measured.items()}
        return {name: STEP * round(share / STEP) for name, share in excess.items() if share > 0.0}


def _planned_loads(problem: Problem, placements: Sequence[Placement]) -> dict[str, float]:
    """The load of each agent, in executors, by these placements; a stream that has none runs at home."""
    placed = {(p.agent, p.stream): p for p in placements}
    profiles = {agent.name: agent.profiles for agent in problem.agents}
    loads: dict[str, float] = {}
    for stream in problem.streams:
        placement = placed.get(stream.key)
        for leg in legs(placement.where) if placement is not None else [Leg(stream.agent)]:
            own = [profile for profile in profiles.get(leg.agent, ()) if profile.model == stream.spec.model]
            profile = (named(own, placement.variant) if placement is not None
                       else min(own, key=lambda profile: profile.p50_s, default=None))
            if profile is not None and leg.last <= len(profile.stages):
                run_s = mean_s(leg_p50_s(profile, leg), leg_p95_s(profile, leg))
                loads[leg.agent] = loads.get(leg.agent, 0.0) + stream.spec.rate_hz * run_s
    return loads
