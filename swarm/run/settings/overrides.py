"""What the command line changes in a launch file before it is checked."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from swarm.core.protocol.bounds import Robots
from swarm.core.settings import validation, yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.yaml_text import DEEPEST

PLACE = re.compile("[0-9]{1,6}")     # in a list
EACH = "*"                           # all places of a list


def apply(raw: dict[str, Any], assignment: str) -> None:
    """Carry out one `path.to.0.key=value` on plain data. Raises: BadInput.

    Values are YAML, lists may grow by one, and `*` stands for each entry of a list.
    """
    where = f"--set {assignment}"
    path, equals, text = assignment.partition("=")
    rule = path.startswith("accept.")                # its keys have dots of their own, its values begin like no YAML
    keys = path.split(".", 1 if rule else -1)
    if not equals or not all(keys) or len(keys) > DEEPEST:
        raise BadInput(where, "not an assignment", "path.to.0.key=value")
    _assign(raw, keys, text.strip("'\" ") if rule else yaml_text.parse(text, where), where)


def is_in(path: str, other: str) -> bool:
    """Whether one dotted path is the other one or leads to it; `*` is any place in a list."""
    return all(a == b or (EACH in (a, b) and PLACE.fullmatch(a if b == EACH else b) is not None)
               for a, b in zip(path.split("."), other.split("."), strict=False))


def _assign(at: Any, keys: Sequence[str], value: Any, where: str) -> None:
    """at: the list or the keys in which the first key is."""
    key, *rest = keys
    fresh: Any = value if not rest else [] if rest[0] == EACH or rest[0].isdigit() else {}
    if isinstance(at, list):
        if key == EACH and not at:
            raise BadInput(where, f"{EACH} in a list of 0", "a list with entries")
        place = int(key) if PLACE.fullmatch(key) else len(at) + 1
        places = list(range(len(at))) if key == EACH else [place]
        if places[-1] > len(at):
            raise BadInput(where, f"{validation.shown(key)} is no place in a list of {len(at)}", f"0 to {len(at)}")
        for place in places:
            if place == len(at):
                at.append(fresh)
            elif not rest:
                at[place] = copy.deepcopy(value)
            if rest:
                _assign(at[place], rest, value, where)
    elif isinstance(at, dict):
        if not rest:
            at[key] = copy.deepcopy(value)
            return
        if at.get(key) is None:
            at[key] = fresh
        _assign(at[key], rest, value, where)
    else:
        raise BadInput(where, f"{validation.shown(key)} is looked for in {validation.shown(at)}, which has no parts",
                       "a path to a key that exists")


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
