"""Explores in one process until an invariant breaks, and prints the finding as JSON. Runs on a copy of the code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import swarm
from swarm.virtual.explore.seeds import Seed, one


def search(plan: list[tuple[bool, int]]) -> dict[str, Any]:
    """plan: small or full, and how many seeds of that size. `tried`: seeds in all; `finding`: None if there is none."""
    tried = 0
    for small, seeds in plan:
        for seed in range(seeds):
            tried += 1
            finding = one(Seed(seed, None, small))[1]
            if finding is not None:
                return {"tried": tried, "size": "small" if small else "full", "finding": finding}
    return {"tried": tried, "size": "", "finding": None}


if __name__ == "__main__":
    assert Path(swarm.__file__).is_relative_to(sys.argv[1]), f"{swarm.__file__} is not of the copy"
    print(json.dumps(search(json.loads(sys.argv[2]))))
