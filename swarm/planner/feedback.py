"""How busy agents are beyond what the plan explains: with fallbacks, guards and the work of others."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.forecast import evaluate
from swarm.planner.instance import Instance
from swarm.planner.problem import Problem

GAIN = 0.05                          # of one heartbeat: a memory of five seconds at four a second
SAMPLES = 24                         # with fewer nothing is concluded
MARGIN = 0.3                         # heartbeats may keep step with frames: the share is biased by up to this
STEP = 0.2                           # loads are rounded to steps, so that noise does not move plans


class BusyShares:
    """Share of heartbeats that found work in hand, per agent, since the plan last changed."""

    def __init__(self) -> None:
        self._busy: dict[str, tuple[int, float]] = {}    # samples, smoothed share

    def heard(self, agent: str, busy_s: float) -> None:
        """Take in one heartbeat. busy_s: work in hand."""
        samples, share = self._busy.get(agent, (0, 0.0))
        gain = max(GAIN, 1.0 / (samples + 1))
        self._busy[agent] = samples + 1, share + gain * ((busy_s > 0.0) - share)

    def forget(self, agent: str) -> None:
        self._busy.pop(agent, None)

    def clear(self) -> None:
        """The plan has changed: the shares belong to the old one."""
        self._busy.clear()

    def unexplained(self, problem: Problem, placements: Sequence[Placement]) -> dict[str, float]:
        """Utilisation per agent that these placements do not account for; agents with one executor only.

        (With more, a heartbeat tells the work per executor, from which a share cannot be read.)
        """
        seen = {a.name: self._busy[a.name][1] for a in problem.agents
                if a.executors == 1 and self._busy.get(a.name, (0, 0.0))[0] >= SAMPLES}
        if not seen:
            return {}
        instance = Instance(problem, placements)
        forecast = evaluate(instance, tuple(n or 0 for n in instance.previous))
        found: dict[str, float] = {}
        for info, explained in zip(instance.agents, forecast.utilisation, strict=True):
            beyond = seen.get(info.name, 0.0) - explained - MARGIN
            if beyond > 0.0:
                found[info.name] = STEP * round(beyond / STEP)
        return found
