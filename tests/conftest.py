"""What all tests share: a store and a cache of their own, for them and for the processes that they start.

No test sees, or changes, the models and the cached sessions of whoever runs the tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

OWN = Path(tempfile.mkdtemp(prefix="swarm-tests-"))
os.environ["SWARM_MODELS"] = str(OWN / "models")
os.environ["SWARM_CACHE"] = str(OWN / "cache")


def pytest_unconfigure() -> None:
    shutil.rmtree(OWN, ignore_errors=True)
