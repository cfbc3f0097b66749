"""Keys of the processes of one run: made at its start, removed at its end."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

from swarm.core.settings.errors import BadInput
from swarm.launcher.supervisor import remove_folder
from swarm.net.security.key_files import PUBLIC, SECRET, new_pair, write_key, write_pair
from swarm.net.security.key_folder import ENROLLED


class RunKeys:
    """A key folder in which every process of a run is enrolled; empty until `enrol`.

    It is removed at the end of the launcher's process at the latest; if the launcher is killed, by the supervisor,
    which gets the folder's descriptor. Only if both are killed do keys stay. They open nothing: all processes that knew
    them have died with the launcher. Raises: BadInput.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(mode=0o700)
            self.descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._unusable(error) from None
        self._at_last = weakref.finalize(self, _remove, self.descriptor)

    def enrol(self, names: Sequence[str]) -> None:
        """Make a pair of keys for each of these processes. Raises: BadInput."""
        try:
            (self.folder / ENROLLED).mkdir(mode=0o700)
            for name in names:
                pair = new_pair(name)
                write_pair(self.folder / f"{name}{SECRET}", pair, durable=False)
                write_key(self.folder / ENROLLED / f"{name}{PUBLIC}", pair.key, durable=False)
        except OSError as error:
            raise self._unusable(error) from None

    def remove(self) -> str:
        """Returns an error for the user, or nothing."""
        return self._at_last() or ""

    def _unusable(self, error: OSError) -> BadInput:
        return BadInput(str(self.folder), error.strerror or str(error), "a folder that can be written")


def _remove(descriptor: int) -> str:
    try:
        remove_folder(descriptor)
    except OSError as error:
        return f"the keys of the run could not be removed: {error}"
    finally:
        os.close(descriptor)
    return ""
