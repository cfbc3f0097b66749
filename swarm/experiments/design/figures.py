"""The figures of a run that an experiment compares, taken from its summary by key."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from swarm.telemetry.accept import value_at

_STREAM = re.compile(r"(streams\..*?\.)?((?:on_time_ratio|latency_ms\.).*)", re.DOTALL)
_AFTER = re.compile(r"(streams\..+\.)?after_warmup\..+", re.DOTALL)


def is_cut(key: str) -> bool:
    """Whether the figure of this full key leaves out the warm-up of its run."""
    return any(of.fullmatch(key) for of in (_STREAM, _AFTER))


def value_of(summary: Mapping[str, Any], key: str) -> float | None:
    """A figure of a run; None: it has no such figure, or too few requests bear it. True counts as 1.

    key: in full, as `accept.resolved_key` gives it. If the launch has a warm-up, ratio and latencies are those after
    it. A quantile over all due frames that lies beyond the last result is infinite.
    """
    warm = summary.get("after_warmup", {}).get("from_s") and not _AFTER.fullmatch(key)
    if warm and (parts := _STREAM.fullmatch(key)):
        key = f"{parts[1] or ''}after_warmup.{parts[2]}"
    value = value_at(summary, key)
    if value is None and key.endswith("_all") and value_at(summary, f"{key}_interval") is not None:
        return math.inf
    return None if value is None or math.isnan(value) else float(value)
