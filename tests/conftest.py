"""What all tests share: a store, a cache and a host of their own, for them and for the processes that they start.

No test sees, or changes, the models and the cached sessions of whoever runs the tests, and none waits for an experiment
that runs on this host. Generated examples are the same
in each run, and may take as long as a busy host needs.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from swarm.launcher.machine_code import compile_loops

OWN = Path(tempfile.mkdtemp(prefix="swarm-tests-"))
CODE = Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm") / "code"
CODE.mkdir(parents=True, exist_ok=True)
(OWN / "cache").mkdir()
(OWN / "cache" / "code").symlink_to(CODE.resolve())  # machine code takes long to make
os.environ["SWARM_MODELS"] = str(OWN / "models")
os.environ["SWARM_CACHE"] = str(OWN / "cache")
os.environ["XDG_RUNTIME_DIR"] = str(OWN)

# a shell without job control starts what runs in the background with Ctrl-C ignored; the runs of tests obey it
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Planners that tests start find their machine code. It is kept with that of whoever runs the tests."""
    if not hasattr(session.config, "workerinput"):
        compile_loops()


def pytest_unconfigure() -> None:
    shutil.rmtree(OWN, ignore_errors=True)
