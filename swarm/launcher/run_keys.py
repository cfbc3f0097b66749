"""Keys of the processes of one run: made at its start, removed at its end."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from pathlib import Path

from swarm.core.settings.errors import BadInput
from swarm.net.security.key_files import PUBLIC, SECRET, new_pair, write_key, write_pair
from swarm.net.security.key_folder import ENROLLED


class RunKeys:
    """A key folder in which every process of a run is enrolled.

    It is removed at the end of the launcher's process at the latest, unless the launcher is killed (SIGKILL). Keys that
    stay behind then open nothing: all processes that knew them have died with the launcher. Raises: BadInput.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(mode=0o700)
            self._at_last = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
            (self.folder / ENROLLED).mkdir(mode=0o700)
            for name in names:
                pair = new_pair(name)
                write_pair(self.folder / f"{name}{SECRET}", pair, durable=False)
                write_key(self.folder / ENROLLED / f"{name}{PUBLIC}", pair.key, durable=False)
        except OSError as error:
            raise BadInput(str(self.folder), error.strerror or str(error), "a folder that can be written") from None

    def remove(self) -> str:
        """Returns an error for the user, or nothing."""
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            return f"the keys of the run could not be removed: {error}"
        self._at_last.detach()
        return ""
