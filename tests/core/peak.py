"""The most memory that this process has held since a moment, also for an instant between two looks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class Peak:
    """Growth of the resident set from now on, at its highest.

    Linux keeps the high-water mark and forgets it when asked; where it will not, growth counts from the highest ever.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _high_water_bytes()

    def growth_bytes(self) -> int:
        return _high_water_bytes() - self._before


def _high_water_bytes() -> int:
    (line,) = (one for one in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if "VmHWM" in one)
    return int(line.split()[1]) << 10
