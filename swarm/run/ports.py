"""The port of a run beside those of `swarm/core/ports.py`: the processes that it starts."""

from __future__ import annotations

from typing import Protocol


class Processes(Protocol):
    """The processes of a run, by name. Their ends come back as `ProcessEnded`."""

    def start(self, name: str, incarnation: int, clock_step_s: float) -> None:
        """Start a process, perhaps again under the same name. Raises: OSError.

        clock_step_s: its wall clock is off by so much from its first moment on.
        """
        ...

    def kill(self, name: str) -> None:
        """End it at once, if it has not ended."""
        ...

    def pause(self, name: str) -> None:
        """It does not run until `resume`."""
        ...

    def resume(self, name: str) -> None: ...

    def is_running(self, name: str, pid: int) -> bool:
        """Whether the newest process of this name has this pid and has not ended."""
        ...
