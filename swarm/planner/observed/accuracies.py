"""The accuracy of each variant, as most agents tell it: the planner has no cards of its own. Deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

import msgspec

from swarm.core.policy.plan import Profile
from swarm.planner.problem import AgentInfo


def agreed(agents: Sequence[AgentInfo]) -> tuple[AgentInfo, ...]:
    """The same agents, with the same accuracy for a variant everywhere: the median of what they tell, of two the lower.

    So one agent alone changes nothing that two others tell. What it alone offers is as it says;
    `options/ways.py` bounds what that is worth.
    """
    told: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for agent in agents:
        for key, profile in {(p.model, p.variant): p for p in agent.profiles}.items():     # an agent counts once
            of_variant, of_network = told.setdefault(key, ([], []))
            of_variant.append(profile.accuracy)
            of_network.append(profile.network_accuracy)
    known = {key: (median_low(of_variant), median_low(of_network)) for key, (of_variant, of_network) in told.items()}

    def corrected(profile: Profile) -> Profile:
        accuracy, network = known[profile.model, profile.variant]
        if (accuracy, network) == (profile.accuracy, profile.network_accuracy):
            return profile
        return msgspec.structs.replace(profile, accuracy=accuracy, network_accuracy=network)

    return tuple(msgspec.structs.replace(agent, profiles=tuple(map(corrected, agent.profiles))) for agent in agents)
