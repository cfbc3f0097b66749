"""Which processes are those of a Ray that we have started."""

from __future__ import annotations

import pytest

from swarm import ray_processes


class Listed:
    """A process in a made-up tree."""

    def __init__(self, *words: str, children: tuple[Listed, ...] = ()) -> None:
        self._words, self._children = list(words), children

    def cmdline(self) -> list[str]:
        return self._words

    def children(self, recursive: bool = False) -> list[Listed]:
        below = [child.children(recursive) for child in self._children] if recursive else []
        return [*self._children, *(one for some in below for one in some)]


def test_only_helpers_of_the_own_ray_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = Listed("/site/ray/core/raylet", children=(Listed("ray::IDLE"), Listed("python", "/site/ray/agent.py")))
    others = Listed("python", "driver.py", children=(Listed("/site/ray/core/raylet", children=(Listed("ray::IDLE"),)),))
    before = Listed("/home/ray/tool")                        # it was there before Ray
    monkeypatch.setattr(ray_processes.psutil, "Process", lambda: Listed(children=(before, others, helper)))
    monkeypatch.setattr(ray_processes, "_strangers", {before})
    assert ray_processes.started() == [helper, *helper.children()]
