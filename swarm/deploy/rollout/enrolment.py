"""The keys of a fleet: made on the boards, collected here, and given to all boards as those that may be heard."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarm.core.settings.errors import BadInput
from swarm.deploy.boards.answers import Done
from swarm.deploy.boards.ports import NotUsable, keeper
from swarm.deploy.rollout import one_board
from swarm.deploy.rollout.fleet import Fleet, Release
from swarm.net.security.key_files import PUBLIC, read_key
from swarm.net.security.key_folder import ENROLLED

Each = Callable[[Sequence[str], Callable[[str], Any]], dict[str, Any]]


def enrolled(fleet: Fleet) -> dict[str, str]:
    """The files of the enrolled keys of a fleet, by name."""
    folder = fleet.keys.path / ENROLLED
    return {path.stem: path.read_text() for path in sorted(folder.glob(f"*{PUBLIC}"))} if folder.exists() else {}


class Enrolment:
    """The keys of one fleet. each: acts on boards at the same time."""

    def __init__(self, fleet: Fleet, each: Each) -> None:
        self._fleet, self._each = fleet, each

    def enrol(self, boards: Mapping[str, bool], releases: dict[str, Release]) -> None:
        """Enrol the processes of the boards that get a new release, and tell all boards who is enrolled."""
        new = [robot for robot, fresh in boards.items() if fresh]
        found = self._each(new, lambda robot: self._keys(robot, releases[robot]))
        for robot, keys in found.items():            # one after the other: each is compared with those before
            self._each([robot], lambda robot, keys=keys: self._take_all(robot, keys))
        self.tell(list(boards))

    def tell(self, boards: Sequence[str]) -> dict[str, Done]:
        """Tell these boards who is enrolled; the owners of other keys are heard no more. Returns what each said."""
        keys = enrolled(self._fleet)
        return self._each(boards, lambda robot: self._told(robot, keys)) if keys else {}

    def _keys(self, robot: str, release: Release) -> dict[str, str]:
        return one_board.keys_of(self._fleet, robot, self._fleet.board(robot), release)

    def _told(self, robot: str, keys: dict[str, str]) -> Done:
        return keeper(self._fleet.board(robot), "enrol", Done, {"keys": keys})

    def _take_all(self, robot: str, keys: Mapping[str, str]) -> None:
        for name, text in keys.items():
            self._take(robot, name, text)

    def _take(self, robot: str, name: str, text: str) -> None:
        """Enrol a key that a board sent for one of its own processes.

        Raises: NotUsable for one that was revoked, replaces another, or is of another process or role.
        """
        role = one_board.roles(self._fleet, robot)[name]
        with tempfile.TemporaryDirectory(prefix="swarm-key-") as folder:
            path = Path(folder) / f"{name}{PUBLIC}"
            path.touch(0o600)
            path.write_bytes(text.encode(errors="replace"))
            try:
                key = read_key(path)
                if (key.name, key.acts_as) != (name, role):
                    raise BadInput(f"the key of {name}", f"it is that of {key.name}, {key.acts_as}", f"{name}, {role}")
                self._fleet.keys.enrol(key)
            except BadInput as error:
                raise NotUsable(str(error)) from None
