"""The runner with a real thread, on an emulated board and on a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agents.runtime.threads import Threads


@pytest.fixture(params=[True, False], ids=["emulated", "real"])
def runs(request: pytest.FixtureRequest) -> Iterator[Threads]:
    """What the test's module calls `Runs`."""
    runs: Threads = request.module.Runs(request.param)
    yield runs
    runs.runner.close()
