"""Plants each fault in a copy of the code, and explores there until it is found: `python -m ... [--json] [WORD ...]`.

Words choose the faults whose names have one of them. Exit code 1: one was not found, not by its invariant, or not
shrunk enough.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.virtual.explore.planted.copies import ROOT, copy_with
from tests.virtual.explore.planted.faults import FAULTS, Planted

SMALL, ALL = 150, 500                # seeds that are tried small before full ones, and in all
MOST_ROBOTS, MOST_FAULTS = 4, 3      # after shrinking


def searched(fault: Planted, most: int = ALL) -> dict[str, Any]:
    """The row of a fault: what was found, and by how many seeds."""
    small = 0 if fault.full else min(SMALL, most)
    with tempfile.TemporaryDirectory() as folder:
        copy_with(fault, Path(folder))
        environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        done = subprocess.run(
            [sys.executable, "-m", "tests.virtual.explore.planted.flight", folder,
             json.dumps([(True, small), (False, most - small)])],
            capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if done.returncode:
        raise RuntimeError(f"{fault.name}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    finding = found["finding"] or {"invariant": "", "found": "", "robots": 0, "faults": 0, "seed": -1}
    least = finding["robots"] <= MOST_ROBOTS and finding["faults"] <= MOST_FAULTS
    return {"fault": fault.name, "breaks": fault.breaks, "seeds": found["tried"], "size": found["size"],
            **{key: finding[key] for key in ("invariant", "found", "seed", "robots", "faults")},
            "good": finding["invariant"] == fault.breaks and least}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    if not row["invariant"]:
        return f"{row['fault']:<48}NOT FOUND in {row['seeds']} seeds"
    remark = "" if row["good"] else f"  (expected: {row['breaks']}; {row['found']})"
    return (f"{row['fault']:<48}{row['invariant']:<44}{row['seeds']:>5} {row['size']:<6}{row['robots']:>6}"
            f"{row['faults']:>7}{remark}")


def main() -> int:
    """Search all, in a few processes."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("words", metavar="WORD", nargs="*")
    p.add_argument("--json", action="store_true")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = p.parse_args()
    faults = [fault for fault in FAULTS if not given.words or any(word in fault.name for word in given.words)]
    if not given.json:
        print(f"{'planted fault':<48}{'invariant':<44}{'seeds':>5} {'size':<6}{'robots':>6}{'faults':>7}")
    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(given.jobs) as threads:
        for row in threads.map(searched, faults):
            rows.append(row)
            if not given.json:
                print(line(row), flush=True)
    if given.json:
        print(json.dumps({"rows": rows}))
    return int(not all(row["good"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
