"""Loads stages beside everything else: neither the loop nor a run waits for a load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from models.pipeline import Pipeline
from models.session import LoadCancelled, LoadHandle
from models.store import ModelError

log = logging.getLogger(__name__)

Load = Callable[[LoadHandle], Pipeline]


class Loader:
    """A thread per load; they wait for each other where sessions are made. `crashed` hears of bugs, in that thread."""

    def __init__(self, crashed: Callable[[BaseException], None]) -> None:
        self._crashed = crashed
        self._loads: list[tuple[threading.Thread, LoadHandle]] = []

    def start(self, what: str, load: Load, loaded: Callable[[Pipeline], None]) -> None:
        """Call `loaded` from the load's thread when it is done; stages that cannot be loaded are logged."""
        handle = LoadHandle()
        thread = threading.Thread(target=self._run, args=(what, load, loaded, handle), name=f"load-{what}", daemon=True)
        self._loads.append((thread, handle))
        thread.start()

    def close(self) -> None:
        """End all loads."""
        for _, handle in self._loads:
            handle.cancel()
        for thread, _ in self._loads:
            thread.join(timeout=2.0)

    def _run(self, what: str, load: Load, loaded: Callable[[Pipeline], None], handle: LoadHandle) -> None:
        try:
            loaded(load(handle))
        except LoadCancelled:
            return
        except ModelError as error:
            log.error("the stages of %s cannot be run: %s", what, error)
        except BaseException as error:       # noqa: BLE001 - handed on, so that it ends the loop and not a thread
            self._crashed(error)
