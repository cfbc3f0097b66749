"""Loads and unloads models in background threads: neither the loop nor a run waits for a load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from models.session import LoadCancelled, LoadHandle
from models.store import ModelError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Loader:
    """One thread for each load; the threads create their sessions one after the other.

    fail: called with an unexpected error, in the load's thread.
    """

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail
        self._loads: list[tuple[threading.Thread, LoadHandle]] = []

    def start(
        self, name: str, load: Callable[[LoadHandle], T], loaded: Callable[[T], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `loaded` in the load's thread when it is done; if it cannot be loaded, log why and call `failed`."""
        handle = LoadHandle()
        thread = threading.Thread(
            target=self._run, args=(name, load, loaded, failed, handle), name=f"load-{name}", daemon=True)
        self._loads = [one for one in self._loads if one[0].is_alive()]
        self._loads.append((thread, handle))
        thread.start()

    def close(self) -> None:
        """End all loads."""
        for _, handle in self._loads:
            handle.cancel()
        for thread, _ in self._loads:
            thread.join(timeout=2.0)

    def _run(
        self, name: str, load: Callable[[LoadHandle], T], loaded: Callable[[T], None], failed: Callable[[], None],
        handle: LoadHandle,
    ) -> None:
        try:
            loaded(load(handle))
        except LoadCancelled:
            return
        except (ModelError, OSError, MemoryError) as error:      # also where no file can be opened now
            log.error("%s cannot be loaded: %s", name, str(error) or type(error).__name__)
            failed()
        except BaseException as error:       # noqa: BLE001 - passed on: a bug ends the loop, not only this thread
            self._fail(error)
