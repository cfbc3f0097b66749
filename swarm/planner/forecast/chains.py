"""Chains of streams: one looks at the outcomes of another, which may look at those of a third."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm.planner.problem import NO_SOURCE, StreamOf, sources


class Chains:
    """Of the streams of a problem, by number. source: whose outcomes each looks at. root: the first of its chain."""

    def __init__(self, streams: Sequence[StreamOf]) -> None:
        self.source = np.array(sources(streams), np.int64)
        self.root = np.arange(len(streams))
        linked = self.source != NO_SOURCE
        self.root[linked] = self.source[linked]
        while np.any(self.root != self.root[self.root]):
            self.root = self.root[self.root]
        self._any = bool(linked.any())

    def write(self, rows: NDArray[np.void]) -> None:
        """Write them into rows of streams, with who looks at each: a list of these, linked by `next_closer`."""
        rows["source"], rows["root"] = self.source, self.root
        rows["closer"] = rows["next_closer"] = NO_SOURCE
        for n, source in enumerate(self.source.tolist()):
            if source != NO_SOURCE:
                rows[n]["next_closer"], rows[source]["closer"] = rows[source]["closer"], n

    def with_sources(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """These streams, and all whose outcomes they look at."""
        while self._any and len(missing := np.setdiff1d(self.source[numbers], [NO_SOURCE, *numbers])):
            numbers = np.concatenate([numbers, missing])
        return numbers
