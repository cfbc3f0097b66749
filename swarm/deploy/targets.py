"""The kinds of boards that a release is made for: their Python, their processor, and the wheels that they take."""

from __future__ import annotations

from typing import NamedTuple

GLIBC = ((2, 34), (2, 31), (2, 28), (2, 27), (2, 26), (2, 24), (2, 17))
"""Of wheels' tags, newest first; a board takes those up to its own."""
OLD_TAGS = {(2, 17): "manylinux2014"}


class Target(NamedTuple):
    """One kind of board."""

    name: str
    python: str                      # minor version
    machine: str
    glibc: tuple[int, int]
    what: str

    def platforms(self) -> list[str]:
        """The tags of wheels that run on it, newest first."""
        tags = [f"manylinux_{major}_{minor}_{self.machine}" for major, minor in GLIBC if (major, minor) <= self.glibc]
        return [*tags, *(f"{OLD_TAGS[one]}_{self.machine}" for one in OLD_TAGS)]


TARGETS = {target.name: target for target in (
    Target("jetpack6", "3.10", "aarch64", (2, 35), "Jetson, JetPack 6 (Ubuntu 22.04)"),
    Target("jetpack7", "3.12", "aarch64", (2, 39), "Jetson, JetPack 7 (Ubuntu 24.04)"),
    Target("debian", "3.11", "x86_64", (2, 36), "Debian 12 on x86-64"),
    Target("debian-arm64", "3.11", "aarch64", (2, 36), "Debian 12 on 64-bit ARM, like Raspberry Pi OS"),
)}


def target_of(machine: str, python: str, jetpack: str) -> Target | None:
    """The target of a board with this processor, this Python and this JetPack (empty: none); None: there is none."""
    if jetpack and jetpack.partition(".")[0] in ("6", "7"):
        return TARGETS[f"jetpack{jetpack.partition('.')[0]}"]
    return next((one for one in TARGETS.values() if (one.machine, one.python) == (machine, python)), None)
