"""Measures the load time and the memory of a file, in a separate process.

    python -m models.build.measure.load_cost FILE PRECISION PROVIDER ...
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.build.measure.timing import Stopwatch, timing_inputs
from models.resident import resident_bytes
from models.store import ModelError
from swarm.core.settings.cards import Precision, Provider
from swarm.core.settings.errors import BadInput

RUNS = 3
EXIT_REFUSED = 2
"""Exit code of the process if the file cannot be loaded and run; the reason is on stderr."""


class LoadCost(msgspec.Struct, frozen=True, kw_only=True):
    """Load time and memory of one file in an otherwise empty process."""

    cold_ms: float                   # with an empty cache: read, optimised, warmed up
    warm_ms: float                   # with the optimised graph in the cache
    memory_bytes: int                # growth of the resident memory after some runs
    peak_bytes: int                  # peak of that growth, including the load


def measure_load(path: Path, on: Sequence[Provider] = ("cpu",), precision: Precision = "fp32") -> LoadCost:
    """Measure in a new process. Raises: ModelError if the file cannot be loaded and run; CalledProcessError."""
    command = [sys.executable, "-m", "models.build.measure.load_cost", str(path), precision, *on]
    with tempfile.TemporaryDirectory(prefix="swarm-cache-") as empty:
        done = subprocess.run(command, capture_output=True, env=os.environ | {"SWARM_CACHE": empty})
    if done.returncode == EXIT_REFUSED:
        raise ModelError(str(path), done.stderr.decode())
    done.check_returncode()
    return msgspec.json.decode(done.stdout, type=LoadCost)


def memory_bytes(path: Path) -> int:
    """Growth of the resident memory by one session after its first runs."""
    return measure_load(path).memory_bytes


def _measure(path: Path, precision: Precision, on: Sequence[Provider]) -> LoadCost:
    from models.session import Session

    watch, sessions = Stopwatch(), []
    before_bytes = resident_bytes()
    cold_ms = watch.time_ms(lambda: sessions.append(Session(path, on=on, precision=precision)))
    inputs = timing_inputs(sessions[0].inputs, np.random.default_rng(7))
    for _ in range(RUNS):
        sessions[0].run(inputs)
    grown_bytes, peak_bytes = resident_bytes() - before_bytes, _peak_bytes() - before_bytes
    sessions.clear()
    gc.collect()
    warm_ms = watch.time_ms(lambda: sessions.append(Session(path, on=on, precision=precision)))
    if not sessions[0].cached and "tensorrt" not in on:
        raise RuntimeError(f"{path}: the second load did not come from the cache")
    return LoadCost(cold_ms=round(cold_ms, 2), warm_ms=round(warm_ms, 2), memory_bytes=max(grown_bytes, 0),
                peak_bytes=max(peak_bytes, 0))


def _peak_bytes() -> int:
    """The peak of this process's resident memory, from the operating system (VmHWM, kB)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(path: Path, precision: Precision, on: Sequence[Provider]) -> int:
    try:
        measured = _measure(path, precision, on)
    except BadInput as error:
        print(f"{error.what}; {error.want}" if error.want else error.what, end="", file=sys.stderr)
        return EXIT_REFUSED
    sys.stdout.buffer.write(msgspec.json.encode(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))      # pyright: ignore[reportArgumentType]
