"""`least_loaded`: of two places that are drawn, each request runs on the one with less work in hand.

Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (IEEE Transactions on Parallel and Distributed
Systems 12(10), 2001). Neither the boards' speed nor the links are looked at. A tie takes the first one.
"""

from __future__ import annotations

from swarm.core.policy.policies import Policy
from swarm.core.policy.route import Choice, Situation, everywhere


def route(s: Situation) -> Choice | None:
    choices = everywhere(s)
    if len(choices) < 2:
        return choices[0] if choices else None
    first = int(s.drawn[0] * len(choices))
    other = (first + 1 + int(s.drawn[1] * (len(choices) - 1))) % len(choices)
    return min(choices[first], choices[other], key=lambda choice: _wait_s(s, choice))


def _wait_s(s: Situation, choice: Choice) -> float:
    return s.wait_s if choice.agent == s.home else s.peers[choice.agent].wait_s


POLICY = Policy(route, draws=True)
