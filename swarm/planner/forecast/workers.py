"""Workers, in which a search works side by side. A port: threads on the real host, one worker in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Make calls side by side."""

    @property
    def count(self) -> int: ...

    def map(self, call: Callable[[int, Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results of `call(worker, item)`, in the order of the items. A worker makes one call at a time."""
        ...


class OneWorker:
    """One call after the other."""

    count = 1

    def map(self, call: Callable[[int, Item], Result], items: Sequence[Item]) -> list[Result]:
        return [call(0, item) for item in items]


ONE_WORKER = OneWorker()
