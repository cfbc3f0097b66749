"""How long a test waits for what must happen, before it is taken for a hang. No result depends on this figure."""

from __future__ import annotations

from swarm.core.units import ns

HANG_S = 120.0
HANG_NS = ns(HANG_S)
