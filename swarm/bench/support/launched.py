"""A run by the real command, as a child process of a bench."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swarm.bench.support.child import ENVIRONMENT, ISOLATED
from swarm.bench.support.resident import Resident
from swarm.launcher.host_lock import shared


def end_with_sigterm() -> None:
    """From now on, SIGTERM ends this process in order, and so the launch that it waits for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def launch(words: Sequence[str], out: Path, resident: Resident | None = None) -> dict[str, Any]:
    """`swarm launch WORDS` into a run folder; returns its summary. resident: samples the run's memory meanwhile.

    It is this process that waits for its turn on the host, for it can tell the user. Raises: RuntimeError if the launch
    fails.
    """
    command = [sys.executable, *ISOLATED, "-m", "swarm.cli.main", "launch", *words, "--out", str(out), "--json",
               "--beside"]
    with shared(told=lambda line: print(line, file=sys.stderr)), tempfile.TemporaryFile() as errors, subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **ENVIRONMENT}) as child:
        try:
            while resident is not None and child.poll() is None:
                resident.sample()
                resident.wait()
            child.wait()
        finally:
            child.terminate()                        # an orderly end if the bench was interrupted; else it has ended
        if child.wait():
            errors.seek(0)
            raise RuntimeError(f"the launch ended with {child.returncode}: {errors.read().decode()[-500:]}")
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))
