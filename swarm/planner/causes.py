"""Why a plan has changed, in words: what is new in the problem since the plan before it was adopted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from swarm.core.policy.plan import WHY_MAX, Placement
from swarm.planner.problem import Pair, Problem
from swarm.planner.solvers.place import choices

NAMED = 3                            # causes that are named
WORSE = 1.5                          # factor by which a link's rate or round trip has changed
BACKGROUND = 0.2                     # executors
POINTS = 0.05                        # by which a stream's correction has changed
FIRST = "the first plan"
FOUND = "a better plan was found"
LONGER = "a longer search found a better plan"


def why(before: Problem | None, after: Problem, concerned: Collection[str], longer: bool = False) -> str:
    """The causes of a change, the gravest first.

    before: the problem of the plan before; None: there was none. concerned: the agents whose streams moved, and those
    that these left or went to; what happened elsewhere is no cause, unless an agent was lost. longer: by a refinement.
    """
    if before is None:
        return FIRST
    causes = [*_team(before, after, concerned), *_links(before, after, concerned), *_load(before, after, concerned),
              *_surprises(before, after, concerned)]
    return joined(causes) or (LONGER if longer else FOUND)


def concerned(old: Sequence[Placement], new: Sequence[Placement]) -> set[str]:
    """The owners of the streams that two plans place differently, and the agents that these leave or go to."""
    plans = [{(p.agent, p.stream): p for p in plan} for plan in (old, new)]
    moved = {key for key, _ in choices(old).items() ^ choices(new).items()}
    return {name for plan in plans for key, p in plan.items() if key in moved for name in (p.agent, *p.where)}


def joined(causes: Iterable[str]) -> str:
    """The first causes, and how many more there are."""
    found = list(causes)
    more = [f"and {len(found) - NAMED} more"] * (len(found) > NAMED)
    return "; ".join([*found[:NAMED], *more])[:WHY_MAX]


def lost(agents: Iterable[str]) -> list[str]:
    return [f"{name} is lost" for name in sorted(agents)]


def _team(before: Problem, after: Problem, concerned: Collection[str]) -> list[str]:
    old, new = ({agent.name for agent in problem.agents} for problem in (before, after))
    streams = [{stream.key: stream.spec for stream in problem.streams} for problem in (before, after)]
    changed = sorted({agent for agent, name in streams[1]
                      if agent in old and streams[0].get((agent, name)) != streams[1][agent, name]})
    found = [*((name, f"{name} joined") for name in sorted(new - old)),
             *((name, f"other streams of {name}") for name in changed)]
    return [*lost(old - new), *(text for name, text in found if name in concerned)]


def _links(before: Problem, after: Problem, concerned: Collection[str]) -> list[str]:
    """Worse links first, both directions as one."""
    worse: dict[Pair, str] = {}
    better: dict[Pair, str] = {}
    members = {agent.name for agent in before.agents} & {agent.name for agent in after.agents}
    for pair in sorted(before.links.keys() | after.links.keys()):
        if not set(pair) <= members or not set(pair) <= set(concerned):
            continue
        old, new, both = before.links.get(pair), after.links.get(pair), (min(pair), max(pair))
        name = f"link {both[0]} to {both[1]}"
        if old is None or new is None:
            (better if old is None else worse).setdefault(both, f"{name} is {'up' if old is None else 'down'}")
            continue
        for was, now, unit, up in ((old.bytes_per_s * 8e-6, new.bytes_per_s * 8e-6, "Mbit/s", True),
                                   (old.rtt_s * 1e3, new.rtt_s * 1e3, "ms", False)):
            if max(was, now) >= WORSE * min(was, now) and max(was, now) > 0.0:
                (better if (now > was) == up else worse).setdefault(both, f"{name}: {was:.3g} to {now:.3g} {unit}")
    return [*worse.values(), *(text for both, text in better.items() if both not in worse)]


def _load(before: Problem, after: Problem, concerned: Collection[str]) -> list[str]:
    old = {agent.name: agent.background for agent in before.agents}
    return [f"other load of {agent.name}: {old.get(agent.name, 0.0):.1f} to {agent.background:.1f} executors"
            for agent in after.agents
            if agent.name in concerned and abs(agent.background - old.get(agent.name, 0.0)) >= BACKGROUND]


def _surprises(before: Problem, after: Problem, concerned: Collection[str]) -> list[str]:
    """Streams that fare otherwise than was forecast, the worst first."""
    old, new = ({(one.agent, one.stream, one.where): one.by for one in problem.corrections}
                for problem in (before, after))
    found: list[tuple[float, str]] = []
    for key in sorted(old.keys() | new.keys()):
        agent, stream, where = key
        by = new.get(key, 0.0) - old.get(key, 0.0)
        if {agent, *where} & set(concerned) and abs(by) >= POINTS:
            how = "less" if by < 0.0 else "more"
            found.append((by, f"{agent} {stream} has {abs(by):.0%} {how} in time than was forecast"))
    return [text for _, text in sorted(found)]
