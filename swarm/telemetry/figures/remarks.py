"""What must be said of a run before its figures: in the same words on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GONE = ("killed", "crashed", "empty")         # how an agent's process ended
MOST_NAMED = 4                       # robots, in one sentence
PERCEPTION = {
    "perfect": "models found everything, exactly, and nothing false",
    "halved": "models found half as much as their cards say, and twice as much that is false",
}


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """Sentences about a run that did not do what was planned; none for an ordinary run.

    Args: summary: the contents of `summary.json`, which may lack keys if an older version wrote them.
    """
    said: list[str] = []
    if summary.get("interrupted"):
        ran_s, duration_s = summary.get("ran_s", 0.0), summary.get("duration_s", 0.0)
        said.append(f"Interrupted: the streams ran {ran_s:.1f} of {duration_s:g} s. This run is not accepted.")
    if not summary.get("requests", {}).get("submitted", 1):
        said.append("No request was submitted: there is nothing to judge.")
    agents = summary.get("agents", {}).values()
    if agents and all(agent.get("status") in GONE for agent in agents):
        said.append("No robot was left at the end: the process of each was killed or crashed, or its battery was "
                    "empty.")
    if nonsense := {name: count for name, agent in summary.get("agents", {}).items()
                    if (count := agent.get("behaviour_nonsense"))}:
        some = [f"{name} {count}" for name, count in nonsense.items()][:MOST_NAMED]
        more = f" and {len(nonsense) - MOST_NAMED} more robots" if len(nonsense) > MOST_NAMED else ""
        said.append(f"Nonsense: {sum(nonsense.values())} outputs of behaviours were dropped ({', '.join(some)}{more}); "
                    "the events `nonsense` in events.jsonl name them.")
    if overlapped := summary.get("overlapped"):
        said.append("Not alone: other runs used this host meanwhile, so these figures are not those of the swarm: "
                    f"{'; '.join(overlapped)}.")
    return said


def settings(summary: Mapping[str, Any]) -> list[str]:
    """Sentences about settings without which the figures would be taken for those of the scenario and its models.

    Args: summary: as of `remarks`.
    """
    said: list[str] = []
    if behaviour := summary.get("behaviour"):
        said.append(f"Behaviour {behaviour}: the launch file names it.")
    perception = summary.get("perception", "model")
    if perception != "model":
        said.append(f"Perception {perception}: {PERCEPTION.get(perception, 'not known to this version')}.")
    return said
