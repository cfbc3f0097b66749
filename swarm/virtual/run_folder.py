"""The run folder of a run in virtual time: as any other, and the hash of what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from swarm.core.policy.plan import Plan
from swarm.telemetry.ledger import Row
from swarm.telemetry.recorder import RunFolder


class HashedFolder(RunFolder):
    """Hashes plans as they come, and the last scene; keeps the logs of all processes."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self._plans = self._scene = b""
        self._logs: dict[str, IO[str]] = {}

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None:
        self._plans = hashlib.sha256(self._plans + _bytes([at_s, plan])).digest()
        super().plan(at_s, plan, boot)

    def scene(self, scene: bytes) -> None:
        self._scene = hashlib.sha256(scene).digest()
        super().scene(scene)

    def log(self, who: str, text: str) -> None:
        """Add to the log of a process."""
        if who not in self._logs:
            try:
                self._logs[who] = open(self.folder("logs") / f"{who}.log", "a", encoding="utf-8")  # noqa: SIM115 - by close
            except OSError as error:
                self.count_unwritten(f"logs/{who}.log", error)
                return
        self._logs[who].write(text)

    def close(self) -> None:
        for file in self._logs.values():
            file.close()
        super().close()

    def state_hash(self, rows: Sequence[Row]) -> str:
        """Of all requests, all plans and the world's end: equal for equal runs."""
        whole = hashlib.sha256(self._plans + self._scene)
        for row in rows:
            whole.update(_bytes(msgspec.to_builtins(row)))
        return whole.hexdigest()[:32]


def _bytes(value: Any) -> bytes:
    return msgspec.msgpack.encode(value, order="deterministic")
