"""How a run ended, for whoever asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a launch ended. `summary` is None if the streams never began; `error` is one line, or empty."""

    exit_code: int
    folder: Path
    summary: dict[str, Any] | None = None
    report: Path | None = None       # None: it was not written
    error: str = ""
