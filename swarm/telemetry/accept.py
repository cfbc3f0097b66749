"""Acceptance rules of a launch file, such as `on_time_ratio: ">= 0.9"` over the keys of `summary.json`."""

from __future__ import annotations

import difflib
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, get_args

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.telemetry.summary_types import JudgedRule, StreamFigures, Summary

HEADLINE = "mission.headline"
"""In `summary.json` the name of the scenario's main measure; where a number is asked for, the value of that measure."""
OPS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt,
}
NOT_JUDGED = ("seed", "robots", "duration_s", "accepted")        # settings, and what follows from the rules


def numbers(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The dotted keys of a structure whose value is a number or a truth value, or null."""
    keys: list[str] = []
    for field in msgspec.structs.fields(kind):
        kinds = {*get_args(field.type)} if isinstance(field.type, UnionType) else {field.type}
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            keys += (f"{field.name}.{key}" for key in numbers(field.type))
        elif kinds - {NoneType} <= {int, float, bool} and field.name not in NOT_JUDGED:
            keys.append(field.name)
    return tuple(keys)


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """The keys by their last part, where it is the last part of one key: `lost` for `requests.lost`.

    Figures after the warm-up have no short name: it means those of the whole run.
    """
    named = [(key.rpartition(".")[2], key) for key in keys if not key.startswith("after_warmup.")]
    count = Counter(name for name, _ in named)
    return {name: key for name, key in named if count[name] == 1}


KEYS, STREAM_KEYS = numbers(Summary), numbers(StreamFigures)
SHORT = short_names(KEYS)
RULE = re.compile(r"\s*(>=|<=|==|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|true|false)\s*", re.ASCII)


def check_accept(
    accept: Mapping[str, str], streams: Iterable[str], measures: Iterable[str], where: str = "accept"
) -> None:
    """Refuse a rule that cannot be evaluated, before the run starts.

    Args: streams: names allowed in `streams.NAME.key`. measures: the scenario's measures, for `mission.NAME`.
    Raises: BadInput naming the key, what is wrong and what would be right.
    """
    for key, rule in accept.items():
        resolved_key(key, list(streams), list(measures), f"{where}: {key}")
        _parse(rule, f"{where}: {key}")


def judge(accept: Mapping[str, str], summary: Mapping[str, Any]) -> list[JudgedRule]:
    """Each rule with the measured value and whether it holds. A rule on a missing figure (null) fails."""
    judged: list[JudgedRule] = []
    for key, rule in accept.items():
        try:
            path = resolved_key(key, list(summary.get("streams", ())), list(summary.get("measures", ())), key)
        except BadInput:                     # a measure of the mission, but the world never reported
            path = key
        op, bound = _parse(rule, f"accept: {key}")
        value = value_at(summary, path)
        judged.append(JudgedRule(key=path, rule=rule.strip(), value=value,
                                 holds=value is not None and bool(OPS[op](value, bound))))
    return judged


def resolved_key(key: str, streams: list[str], measures: list[str], where: str) -> str:
    """The full dotted key: the key itself, or the key of this short name."""
    keys = [*KEYS, *([HEADLINE] if measures else []), *(f"mission.{name}" for name in measures)]
    if key in keys or re.fullmatch(r"requests\.failed_by\.\w+", key):
        return key
    by_leaf = {HEADLINE.rpartition(".")[2]: HEADLINE} | {name: f"mission.{name}" for name in measures} | SHORT
    if key in by_leaf:
        return by_leaf[key]
    if key.startswith("streams."):
        leaf = _leaf_of_stream(key)
        if leaf is None:
            raise BadInput(where, "no such figure of a stream", "known: " + ", ".join(STREAM_KEYS))
        name = key[len("streams."):-len(leaf) - 1]
        if name not in streams:
            raise BadInput(where, f"no stream is called {name!r}", "known streams: " + ", ".join(streams))
        return key
    near = ([full for full in KEYS if full.endswith(f".{key}")]
            or difflib.get_close_matches(key, list(dict.fromkeys([*keys, *by_leaf])), n=3, cutoff=0.5))
    want = ("did you mean " + " or ".join(near) if near else
            "a number of summary.json, such as on_time_ratio or requests.lost; docs/run_folder.md lists them")
    raise BadInput(where, "no such key in summary.json", want)


def _leaf_of_stream(key: str) -> str | None:
    """The part of `streams.NAME.key` after the name, which may hold dots; None: no such figure."""
    return max((k for k in STREAM_KEYS if key.endswith("." + k)), key=len, default=None)


def _parse(rule: str, where: str) -> tuple[str, float | bool]:
    match = RULE.fullmatch(rule)
    if match is None:
        raise BadInput(where, f"{rule!r} is not a rule", "write an operator (>=, <=, ==, >, <) and a number: '>= 0.9'")
    op, bound = match.groups()
    if bound in ("true", "false"):
        if op != "==":
            raise BadInput(where, f"{rule!r} compares the size of a truth value", f"write '== {bound}'")
        return op, bound == "true"
    return op, float(bound)


def value_at(summary: Mapping[str, Any], path: str) -> Any:
    """The figure at a dotted path, or None. The count of a failure reason that never occurred is 0."""
    if path.startswith("streams."):
        leaf = _leaf_of_stream(path) or ""
        parts = ["streams", path[len("streams."):-len(leaf) - 1], *leaf.split(".")]
    else:
        parts = path.split(".")
    value: Any = summary
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            return 0 if path.startswith("requests.failed_by.") else None
        value = value[part]
    return value_at(summary, f"mission.{value}") if path == HEADLINE else value
