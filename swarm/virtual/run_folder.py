"""The run folder of a run in virtual time: as any other, and the hash of what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from swarm.core.policy.plan import Plan
from swarm.telemetry.ledger import Row
from swarm.telemetry.recorder import RunFolder


class HashedFolder(RunFolder):
    """Hashes plans as they come, and the last scene."""

    _plans = b""
    _scene = b""

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None:
        self._plans = hashlib.sha256(self._plans + _bytes([at_s, plan])).digest()
        super().plan(at_s, plan, boot)

    def scene(self, scene: bytes) -> None:
        self._scene = hashlib.sha256(scene).digest()
        super().scene(scene)

    def state_hash(self, rows: Sequence[Row]) -> str:
        """Of all requests, all plans and the world's end: equal for equal runs."""
        whole = hashlib.sha256(self._plans + self._scene)
        for row in rows:
            whole.update(_bytes(msgspec.to_builtins(row)))
        return whole.hexdigest()[:32]


def _bytes(value: Any) -> bytes:
    return msgspec.msgpack.encode(value, order="deterministic")
