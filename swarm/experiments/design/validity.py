"""stub"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def invalid(summary: Mapping[str, Any]) -> list[str]:
    return ["the host was overloaded: " + "; ".join(summary["overloaded_by"])] if summary["host_overloaded"] else []
