"""Flies points on a Ray cluster, one on each CPU. A point whose node or process has vanished is told as lost."""

from __future__ import annotations

import errno
import functools
import os
import pickle
from collections.abc import Mapping

import msgspec

from swarm import cluster, plugins
from swarm.core.settings.errors import BadInput
from swarm.experiments.launches import code_hash, contents_of, models_of
from swarm.experiments.workers.flight import Flown, Task, fly
from swarm.experiments.workers.local import Lost

SAME = "this installation's code, models and plug-ins on all nodes"


class Asked(msgspec.Struct, frozen=True):
    """A point for a node. code, contents: hashes of what it must have. task: pickled; other code may not read it."""

    code: str
    contents: Mapping[str, str]
    task: bytes


class Unlike(msgspec.Struct, frozen=True):
    """A node that has something else, and would fly another point."""

    node: str
    why: str


class RayWorkers:
    """The port `Workers`. address: of the cluster, or `local`: a Ray of `jobs` CPUs is started and ended.

    Raises: BadInput if the cluster cannot be joined, or a node has other code; OSError if the head is gone.
    """

    def __init__(self, address: str, jobs: int) -> None:
        self._address = address
        folders = os.pathsep.join(plugins.folders())
        cluster.join(address, jobs, {plugins.VARIABLE: folders} if folders else {})      # each costs seconds of start
        self._calls = cluster.Calls[str, Asked, Flown | Unlike](_fly)
        self._cpus = cluster.cpus()
        self._contents = functools.cache(contents_of)

    @property
    def free(self) -> int:
        return max(0, self._cpus - len(self._calls))

    def start(self, task: Task) -> None:
        self._calls.start(task.id, Asked(_own_code(), self._contents(models_of(task.resolved)), pickle.dumps(task)))

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        found = [self._told(id, result) for id, result in self._calls.ended(timeout_s)]
        if reason := cluster.gone():
            raise OSError(errno.ENOTCONN, f"the head of the cluster is gone: {reason}", f"--ray {self._address}")
        self._cpus = cluster.cpus()
        return found

    def close(self) -> None:
        self._calls.cancel()
        cluster.disconnect()

    def _told(self, id: str, result: Flown | Unlike | cluster.Failed) -> Flown | Lost:
        if isinstance(result, Flown):
            return result
        if isinstance(result, cluster.Failed) and result.lost:
            return Lost(id, result.why)
        raise BadInput(f"--ray {self._address}: node {result.node}", result.why, SAME)


def _fly(asked: Asked) -> Flown | Unlike:
    """Fly a point on the node that runs this."""
    if asked.code != _own_code():
        return Unlike(cluster.node(), "it has other code")
    task: Task = pickle.loads(asked.task)
    own = _contents(models_of(task.resolved))
    for name in sorted({*asked.contents, *own}):
        if asked.contents.get(name) != own.get(name):
            return Unlike(cluster.node(), f"its {name} is another one, or missing")
    return fly(task)


_own_code = functools.cache(code_hash)
_contents = functools.cache(contents_of)
