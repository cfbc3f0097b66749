"""Whether a run counts. It does not count where its host was at fault, whatever its result; and never for its result.

Faults of the launch file and a policy that makes the team slow are what the run is about. A process that ended by
itself, as by an error in a policy, leaves no result at all: `workers/` tells that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm.telemetry.figures.host import OFFERED_LIMIT, SILENCING

ROUNDED_S = 0.001                    # `ran_s` has three decimals


def invalid(summary: Mapping[str, Any]) -> list[str]:
    """The reasons why a run does not count, each a sentence; none: it counts.

    Args: summary: the contents of `summary.json`.
    """
    reasons: list[str] = []
    ran_s, duration_s = summary["ran_s"], summary["duration_s"]
    if summary["interrupted"] or ran_s < duration_s - ROUNDED_S:
        reasons.append(f"It was cut short: the streams ran {ran_s:.1f} of {duration_s:g} s.")
    if summary["clock"] == "virtual":
        return reasons                   # no host can be at fault
    if summary["overloaded_by"]:
        reasons.append(f"The host was overloaded: {'; '.join(summary['overloaded_by'])}.")
    if summary["overlapped"]:
        reasons.append(f"Other runs used the host meanwhile: {'; '.join(summary['overlapped'])}.")
    due, missed = summary["requests"]["due"], missed_by_host(summary)
    if due and (due - missed) / due < OFFERED_LIMIT:
        share = 100.0 * (due - missed) / due
        reasons.append(f"Too few of the due frames were offered: {share:.1f} %; {missed} of {due} were missed, which "
                       "no fault explains.")
    return reasons


def missed_by_host(summary: Mapping[str, Any]) -> int:
    """Due frames that were missed by the world, the sensors, and the agents that no fault kept from their work.

    A fault excuses all that its process missed in this run. `overloaded_by` looks at the time of each frame.
    """
    silenced = {fault["target"] for fault in summary["faults"]
                if fault["done_s"] is not None and fault["kind"] in SILENCING}
    missed = 0
    for name, agent in summary["agents"].items():
        by = agent["missed"]
        missed += by["body"] + ("world" not in silenced and by["world"]) + (name not in silenced and by["agent"])
    return missed
