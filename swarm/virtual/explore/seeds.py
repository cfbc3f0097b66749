"""Explores many seeds, in several processes or on a Ray cluster, and shrinks what fails."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from swarm import cluster
from swarm.core.settings import yaml_text
from swarm.core.settings.launch_file import LaunchFile
from swarm.run.settings.resolve import Resolved
from swarm.virtual.explore.drawing import FULL, SMALL, drawn, resolved
from swarm.virtual.explore.explorer import Flown, explored
from swarm.virtual.explore.shrink import shrunk

replace = msgspec.structs.replace

DIED = "a process of the exploration was killed"
AHEAD = 4                            # seeds that wait for each process

Explored = tuple[Flown, dict[str, Any] | None]
"""A run, and its finding if an invariant is broken."""


class Seed(NamedTuple):
    """A seed to explore. launch: flown with it; None: a drawn one."""

    seed: int
    launch: Resolved | None
    small: bool


def explore(
    seeds: Iterable[int], launch: Resolved | None, *, small: bool, jobs: int, ray: str = "none",
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """`seeds`, `events`, `requests`, `virtual_s`, `guarded`, and `findings` by seed.

    `unexplored`: seeds without a result, by why.
    launch: flown with each; None: drawn ones. ray: the address of a cluster; `none`: `jobs` processes on this host.
    Raises: BadInput if the cluster cannot be joined.
    """
    totals, unexplored = {"seeds": 0, "events": 0, "requests": 0, "virtual_s": 0.0, "guarded": 0}, dict[str, int]()
    findings: list[dict[str, Any]] = []
    chosen = (Seed(seed, launch, small) for seed in seeds)
    for result in _in_processes(chosen, jobs) if ray == "none" else _on_cluster(chosen, ray):
        if isinstance(result, str):
            unexplored[result] = unexplored.get(result, 0) + 1
            continue
        flown, finding = result
        totals["seeds"] += 1
        for key in ("events", "requests", "virtual_s", "guarded"):
            totals[key] += getattr(flown, key)
        findings += [finding] if finding is not None else []
        progress(f"{totals['seeds']} seeds, {totals['events']} events, {len(findings)} broken")
    return {**totals, "unexplored": unexplored, "findings": sorted(findings, key=lambda finding: finding["seed"])}


def _in_processes(seeds: Iterator[Seed], jobs: int) -> Iterator[Explored | str]:
    """Explore in processes of this host, a few seeds ahead."""
    waiting, broken = set[Future[Explored]](), False
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        while True:
            if not broken:
                waiting |= {pool.submit(one, seed) for seed in islice(seeds, AHEAD * jobs - len(waiting))}
            if not waiting:
                break
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                died = isinstance(future.exception(), BrokenProcessPool)     # then all others have ended with it
                broken |= died
                yield DIED if died else future.result()
    yield from (DIED for _ in seeds)


def _on_cluster(seeds: Iterator[Seed], address: str) -> Iterator[Explored | str]:
    """Explore on a Ray cluster, a few seeds ahead. For a seed without a result: why. Raises: BadInput."""
    cluster.join(address)
    try:
        calls = cluster.Calls[int, Seed, Explored](one, repeats=1)
        while True:
            for seed in islice(seeds, max(0, AHEAD * cluster.cpus() - len(calls))):
                calls.start(seed.seed, seed)
            if not len(calls):
                break
            for _, result in calls.ended(timeout_s=None):
                yield result.why if isinstance(result, cluster.Failed) else result
    finally:
        cluster.disconnect()


def one(seed: Seed) -> Explored:
    """Explore one seed. Returns the run, and the finding with its shrunk launch and the story of that."""
    launch = seed.launch
    chosen = (resolved(drawn(seed.seed, SMALL if seed.small else FULL)) if launch is None
              else replace(launch, launch=replace(launch.launch, seed=seed.seed)))
    flown = explored(chosen)
    if flown.broken is None:
        return flown, None
    invariant = flown.broken.invariant

    def fails(smaller: LaunchFile) -> bool:
        broken = explored(replace(chosen, launch=smaller)).broken
        return broken is not None and broken.invariant == invariant

    least = shrunk(chosen.launch, fails, broken_s=flown.broken.at_s)
    again = explored(replace(chosen, launch=least), with_story=True)
    return flown, {
        "seed": seed.seed, **msgspec.structs.asdict(again.broken or flown.broken),
        "robots": sum(fleet.count for fleet in least.fleet), "faults": len(least.faults),
        "streams": len(least.streams), "story": again.story, "launch": yaml_text.dump(least)}
