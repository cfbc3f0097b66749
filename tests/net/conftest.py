"""A network of endpoints for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.net.harness import Net


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.close()
