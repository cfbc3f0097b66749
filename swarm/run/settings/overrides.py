"""What the command line changes in a launch file before it is checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from swarm.core.protocol.bounds import Robots
from swarm.core.settings import validation, yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.yaml_text import DEEPEST

PLACE = re.compile("[0-9]{1,6}")     # in a list


def apply(raw: dict[str, Any], assignment: str) -> None:
    """Carry out one `path.to.0.key=value` on plain data; values are YAML, lists may grow by one. Raises: BadInput."""
    where = f"--set {assignment}"
    path, equals, text = assignment.partition("=")
    rule = path.startswith("accept.")                # its keys have dots of their own, its values begin like no YAML
    keys = path.split(".", 1 if rule else -1)
    if not equals or not all(keys) or len(keys) > DEEPEST:
        raise BadInput(where, "not an assignment", "path.to.0.key=value")
    value = text.strip("'\" ") if rule else yaml_text.parse(text, where)
    at: Any = raw
    for key, following in zip(keys, [*keys[1:], ""], strict=True):
        last = following == ""
        fresh: Any = value if last else [] if following.isdigit() else {}
        if isinstance(at, list):
            place = int(key) if PLACE.fullmatch(key) else len(at) + 1
            if place > len(at):
                raise BadInput(where, f"{validation.shown(key)} is no place in a list of {len(at)}", f"0 to {len(at)}")
            if place == len(at):
                at.append(fresh)
            elif last:
                at[place] = value
            at = at[place]
        elif isinstance(at, dict):
            if last:
                at[key] = value
            elif at.get(key) is None:
                at[key] = fresh
            at = at[key]
        else:
            raise BadInput(where, f"{validation.shown(key)} is looked for in {validation.shown(at)}, which has no "
                           "parts", "a path to a key that exists")


def shares(counts: Sequence[int], total: int) -> list[int]:
    """`total` in the proportions of `counts`: largest remainder, at least 1 each; ties go to the first.

    Source: Hamilton's method, with the minimum of 1 taken from the largest share.
    """
    exact = [count * total / sum(counts) for count in counts]
    given = [max(1, int(x)) for x in exact]
    by_remainder = sorted(range(len(counts)), key=lambda i: (int(exact[i]) - exact[i], i))
    for i in by_remainder:
        if sum(given) < total:
            given[i] += 1
    while sum(given) > total:
        given[max(range(len(given)), key=lambda i: (given[i], -i))] -= 1
    return given


def resize(raw: dict[str, Any], robots: int) -> None:
    """Scale the fleets to `robots` in all. The file has been checked before. Raises: BadInput."""
    validation.check(robots, Robots, "--robots")
    fleets = raw["fleet"]
    if robots < len(fleets):
        raise BadInput("--robots", f"{robots} robots for {len(fleets)} fleets", f"at least {len(fleets)}, one for each")
    for fleet, count in zip(fleets, shares([fleet["count"] for fleet in fleets], robots), strict=True):
        fleet["count"] = count
        if len(fleet.get("spawn") or []) > count:
            fleet["spawn"] = fleet["spawn"][:count]
