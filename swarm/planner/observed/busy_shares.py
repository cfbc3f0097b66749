"""Measures the load of agents that the plan does not explain: fallbacks, guards and work for others."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.forecast import evaluate
from swarm.planner.instance import Instance
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
        instance = Instance(problem, placements)
        forecast = evaluate(instance, tuple(n or 0 for n in instance.previous))
        unexplained: dict[str, float] = {}
        for info, explained in zip(instance.agents, forecast.utilisation, strict=True):
            excess = measured.get(info.name, 0.0) - explained - MARGIN
            if excess > 0.0:
                unexplained[info.name] = STEP * round(excess / STEP)
        return unexplained
