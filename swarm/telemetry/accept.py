"""Acceptance rules of a launch file, such as `on_time_ratio: ">= 0.9"` over the keys of `summary.json`."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from swarm.core.settings.errors import BadInput
from swarm.telemetry.summary_types import JudgedRule

OPS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt,
}
KEYS = (
    "on_time_ratio", "first_result_s", "host_overloaded", "loop_late_ms_p99",
    *(f"requests.{k}" for k in ("submitted", "completed", "late", "failed", "lost")),
    *(f"latency_ms.{k}" for k in ("p50", "p95", "p99")),
    *(f"offload.{k}" for k in ("share", "peers", "guarded", "unguarded", "guard_fired")),
    *(f"planner.{k}" for k in (
        "solves", "refined", "adopted", "stale", "epoch", "solve_ms_p50", "refine_ms_p50", "starts")),
    *(f"world.{k}" for k in ("steps", "real_time_factor", "lag_ms_p99")),
)
STREAM_KEYS = ("submitted", "completed", "late", "failed", "lost", "on_time_ratio", "offload_share",
               "latency_ms.p50", "latency_ms.p95", "latency_ms.p99")
RULE = re.compile(r"\s*(>=|<=|==|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|true|false)\s*", re.ASCII)


def check_accept(
    accept: Mapping[str, str], streams: Iterable[str], measures: Iterable[str], where: str = "accept"
) -> None:
    """Refuse a rule that cannot be evaluated, before the run starts.

    Args: streams: names allowed in `streams.NAME.key`. measures: the scenario's measures, for `mission.NAME`.
    Raises: BadInput naming the key, what is wrong and what would be right.
    """
    for key, rule in accept.items():
        _resolve(key, list(streams), list(measures), f"{where}: {key}")
        _parse(rule, f"{where}: {key}")


def judge(accept: Mapping[str, str], summary: Mapping[str, Any]) -> list[JudgedRule]:
    """Each rule with the measured value and whether it holds. A rule on a missing figure (null) fails."""
    judged: list[JudgedRule] = []
    for key, rule in accept.items():
        try:
            path = _resolve(key, list(summary.get("streams", ())), list(summary.get("measures", ())), key)
        except BadInput:                     # a measure of the mission, but the world never reported
            path = key
        op, bound = _parse(rule, f"accept: {key}")
        value = _value(summary, path)
        judged.append(JudgedRule(key=path, rule=rule.strip(), value=value,
                                 holds=value is not None and bool(OPS[op](value, bound))))
    return judged


def _resolve(key: str, streams: list[str], measures: list[str], where: str) -> str:
    """The full dotted key: the key itself, or the known key that ends in it (`requests.lost` for `lost`)."""
    keys = [*KEYS, *(f"mission.{name}" for name in measures)]
    if key in keys or re.fullmatch(r"requests\.failed_by\.\w+", key):
        return key
    by_leaf = {full.rpartition(".")[2]: full for full in reversed(keys)}
    if key in by_leaf:
        return by_leaf[key]
    if key.startswith("streams."):
        leaf = next((k for k in STREAM_KEYS if key.endswith("." + k)), None)
        if leaf is None:
            raise BadInput(where, "no such figure of a stream", "known: " + ", ".join(STREAM_KEYS))
        name = key[len("streams."):-len(leaf) - 1]
        if name not in streams:
            raise BadInput(where, f"no stream is called {name!r}", "known streams: " + ", ".join(streams))
        return key
    near = difflib.get_close_matches(key, [*keys, *by_leaf], n=3, cutoff=0.5)
    want = "did you mean " + " or ".join(near) if near else "known keys: " + ", ".join(keys)
    raise BadInput(where, "no such key in summary.json", want)


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


def _value(summary: Mapping[str, Any], path: str) -> Any:
    """The figure at a dotted path, or None. The count of a failure reason that never occurred is 0."""
    if path.startswith("streams."):
        leaf = next(k for k in STREAM_KEYS if path.endswith("." + k))
        parts = ["streams", path[len("streams."):-len(leaf) - 1], *leaf.split(".")]
    else:
        parts = path.split(".")
    value: Any = summary
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            return 0 if path.startswith("requests.failed_by.") else None
        value = value[part]
    return value
