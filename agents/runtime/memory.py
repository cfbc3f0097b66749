"""Which variants of its models a board loads at its start: those that fit, the most useful first. Deterministic.

What does not fit then may come later, in place of others (`agents/scheduling/memory/residency.py`).

First the fastest variant that fits of each model, so that every model runs; then the other variants. Both in the order
of the models, and of one model the fastest first. Last the stages of what was taken, in the same order: they make a
variant preemptible and part of chains, but it runs without them. Those that do not fit then may come later, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MB = 2**20
RESERVE_BYTES = 128 * MB
"""For the process without models: in `swarm launch search_rescue` agents take up to 131e6 bytes (`rss_bytes_max`), with
the 12 variants of its two models."""

Key = tuple[str, str]                # model and variant


LOAD_FILES = 2
"""How many times its file a load takes beyond what is kept: it is read to check it, and parsed."""


class Candidate(NamedTuple):
    """A variant that the board could run.

    memory_bytes: as measured, else by its card. All its stages together count as much as the whole: in one process
    those of the 12 variants that we ship for a CPU take up to 129e6 bytes, and the whole ones 232e6 by their cards.
    """

    model: str
    variant: str
    p50_s: float
    memory_bytes: int
    staged: bool                     # it has stages

    @property
    def key(self) -> Key:
        return self.model, self.variant


class Fitting(NamedTuple):
    """What is loaded, and what is not."""

    whole: list[Key]
    stages: list[Key]                # variants whose stages fit beside all that is loaded
    later: list[Key]                 # variants whose stages may be loaded, now or later: they fit beside their whole
    unstaged: list[Key]              # those that are loaded, and whose stages do not fit
    left_out: list[Candidate]        # the most useful first
    too_large: list[Candidate]       # those of them that do not fit even alone
    free_bytes: int | None           # that nothing of this takes; None: the board's memory is not known


def fitting(candidates: Sequence[Candidate], models: Sequence[str], memory_mb: int) -> Fitting:
    """Divide a board's memory.

    models: all of them, the most important first. memory_mb: of the board (2**20 bytes); 0: not known, and all fits.
    """
    rank = {model: number for number, model in enumerate(models)}
    in_order = sorted(candidates, key=lambda c: (rank[c.model], c.p50_s, c.variant))
    if not memory_mb:
        staged = [c.key for c in in_order if c.staged]
        return Fitting([c.key for c in in_order], staged, staged, [], [], [], None)
    all_of_it = left = memory_mb * MB - RESERVE_BYTES
    taken: list[Candidate] = []
    for one_of_each in (True, False):
        for one in in_order:
            if one in taken or (one_of_each and any(other.model == one.model for other in taken)):
                continue
            if one.memory_bytes <= left:
                taken.append(one)
                left -= one.memory_bytes
    stages: list[Key] = []
    unstaged: list[Key] = []
    for one in taken:
        if one.staged:
            fits = one.memory_bytes <= left
            (stages if fits else unstaged).append(one.key)
            left -= one.memory_bytes if fits else 0
    left_out = [c for c in in_order if c not in taken]
    too_large = [c for c in left_out if c.memory_bytes > all_of_it]
    later = [c.key for c in in_order if c.staged and 2 * c.memory_bytes <= all_of_it]
    return Fitting([c.key for c in taken], stages, later, unstaged, left_out, too_large, max(left, 0))
