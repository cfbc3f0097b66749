"""Marks of the launcher's tests."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: flies whole swarms for many seconds; `make test-long`")
