"""Which nodes run on another provider than wanted, and their share of the time, from a profile of ONNX Runtime.

Of a GPU, ONNX Runtime times a node on the host until its work is handed over: shares of CUDA nodes are lower bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KERNEL = "_kernel_time"


class Elsewhere(NamedTuple):
    """A node that another provider runs."""

    node: str
    operator: str
    provider: str                    # ONNX Runtime's name
    share: float                     # of the time of all nodes

    def __str__(self) -> str:
        return f"{self.node} ({self.operator}) on {self.provider}, {self.share:.1%} of the time"


def elsewhere(events: Sequence[Mapping[str, Any]], wanted: str) -> list[Elsewhere]:
    """The nodes that do not run on the provider `wanted`, those with the largest share first.

    events: of a profile of several runs; the first run of each node, which allocates memory, does not count. A node
    that runs once counts.
    """
    took_us: dict[tuple[str, str, str], list[float]] = {}
    for event in events:
        name, about = str(event.get("name", "")), event.get("args", {})
        if event.get("cat") == "Node" and name.endswith(KERNEL) and "provider" in about:
            key = name.removesuffix(KERNEL), str(about.get("op_name", "")), str(about["provider"])
            took_us.setdefault(key, []).append(float(event.get("dur", 0.0)))
    mean_us = {key: sum(each[1:] or each) / len(each[1:] or each) for key, each in took_us.items()}
    total_us = sum(mean_us.values()) or 1.0
    others = [Elsewhere(*key, us / total_us) for key, us in mean_us.items() if key[2] != wanted]
    return sorted(others, key=lambda one: (-one.share, one.node))
