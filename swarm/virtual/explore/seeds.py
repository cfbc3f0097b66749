"""Explores many seeds in several processes, and shrinks what fails."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from typing import Any

import msgspec

from swarm.core.settings import yaml_text
from swarm.core.settings.launch_file import LaunchFile
from swarm.run.settings.resolve import Resolved
from swarm.virtual.explore.drawing import FULL, SMALL, drawn, resolved
from swarm.virtual.explore.explorer import Flown, explored
from swarm.virtual.explore.shrink import shrunk

replace = msgspec.structs.replace

AHEAD = 4                            # seeds that wait for each process


def explore(
    seeds: Iterable[int], launch: Resolved | None, *, small: bool, jobs: int, progress: Callable[[str], None],
) -> dict[str, Any]:
    """`seeds`, `events`, `requests`, `virtual_s`, `guarded`, and `findings` by seed.

    launch: flown with each; None: drawn ones.
    """
    totals = {"seeds": 0, "events": 0, "requests": 0, "virtual_s": 0.0, "guarded": 0}
    findings: list[dict[str, Any]] = []
    todo, waiting = iter(seeds), set[Future[tuple[Flown, dict[str, Any] | None]]]()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        while True:
            while len(waiting) < AHEAD * jobs and (seed := next(todo, None)) is not None:
                waiting.add(pool.submit(partial(one, seed, launch, small)))
            if not waiting:
                break
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                flown, finding = future.result()
                totals["seeds"] += 1
                for key in ("events", "requests", "virtual_s", "guarded"):
                    totals[key] += getattr(flown, key)
                findings += [finding] if finding is not None else []
            progress(f"{totals['seeds']} seeds, {totals['events']} events, {len(findings)} broken")
    return {**totals, "findings": sorted(findings, key=lambda finding: finding["seed"])}


def one(seed: int, launch: Resolved | None, small: bool) -> tuple[Flown, dict[str, Any] | None]:
    """Explore one seed. Returns the run, and the finding with its shrunk launch."""
    chosen = (resolved(drawn(seed, SMALL if small else FULL)) if launch is None
              else replace(launch, launch=replace(launch.launch, seed=seed)))
    flown = explored(chosen)
    if flown.broken is None:
        return flown, None
    invariant = flown.broken.invariant

    def fails(smaller: LaunchFile) -> bool:
        broken = explored(replace(chosen, launch=smaller)).broken
        return broken is not None and broken.invariant == invariant

    least = shrunk(chosen.launch, fails)
    broken = explored(replace(chosen, launch=least)).broken or flown.broken
    return flown, {
        "seed": seed, **msgspec.structs.asdict(broken), "robots": sum(fleet.count for fleet in least.fleet),
        "faults": len(least.faults), "streams": len(least.streams), "launch": yaml_text.dump(least)}
