"""What a push would change, board by board; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from models.providers import ORT_NAMES
from swarm.core.clock import WallClock
from swarm.core.settings.cards import Provider
from swarm.core.settings.errors import BadInput
from swarm.deploy import configuration
from swarm.deploy.boards.facts import Facts, Runtime, runtime
from swarm.deploy.boards.ports import NotUsable, Unreachable
from swarm.deploy.keeper.store import RESERVE_BYTES
from swarm.deploy.rollout import one_board
from swarm.deploy.rollout.fleet import Fleet

HEADINGS = ("robot", "board", "system", "python", "glibc", "JetPack", "providers", "free", "clock", "power", "runs",
            "a push would")
AT_ONCE = 16
CLOCK_S = 5.0                        # a board's clock may be so far off without a word
LIBRARIES = {"tensorrt": ("CUDA", "TensorRT"), "cuda": ("CUDA", "cuDNN"), "cpu": ()}
"""What each provider needs on the board beside the runtime, by the names of `probe.py`."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One board of a plan."""

    robot: str
    target: str = ""
    facts: Facts | None = None       # None: it was not reached
    wanted: list[str] = []           # providers of the inventory's board, best first
    runtime: str = ""                # version of the ONNX Runtime of its release; empty: there is none yet
    providers: list[str] = []        # of that runtime, with all that they need on the board; not known without one
    clock_off_s: int = 0             # of its wall clock
    current: int = 0                 # the release that it runs; 0: none
    change: str = ""                 # what a push would do
    bytes: int = 0                   # of files that it would send at most, before compression
    processes: list[str] = []        # that it would run
    trouble: str = ""                # why nothing can be pushed


def plan(fleet: Fleet, progress: Callable[[str], None]) -> list[Row]:
    """Ask all boards at the same time. Raises: BadInput."""
    robots, made = fleet.inventory.robots(), one_board.Made(fleet)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(robots, pool.map(lambda robot: _asked(fleet, robot), robots), strict=True))
    finally:
        fleet.close()
    rows: list[Row] = []
    for robot in robots:
        seen = found[robot]
        progress(f"{robot}: comparing")
        rows.append(Row(robot=robot, trouble=seen) if isinstance(seen, str) else _row(fleet, robot, *seen, made))
    return rows


def _asked(fleet: Fleet, robot: str) -> tuple[one_board.Asked, Runtime | None] | str:
    try:
        board = fleet.board(robot)
        seen = one_board.asked(fleet, robot, board)
        return seen, runtime(board) if seen.status.current else None
    except (Unreachable, NotUsable) as error:
        return str(error)


def _row(fleet: Fleet, robot: str, seen: one_board.Asked, there: Runtime | None, made: one_board.Made) -> Row:
    read, facts = fleet.read, seen.facts
    wanted: list[Provider] = [*read.boards[read.inventory.board_of(robot)].providers]
    current = seen.status.current
    change, size, trouble, kept = "", 0, "", None
    try:
        site = made.site(robot, seen.target)
        config = fleet.files.tree(configuration.files_of(read, robot))
        newest = fleet.newest(robot)
        if newest is not None and (newest.site, newest.config) == (site.tree, config) and newest.number == current:
            change, kept = "nothing", there
        else:
            same = newest is not None and newest.number == current and newest.site == site.tree
            kept = there if same else None
            trees = [config] if same else [site.tree, config]
            size = sum({entry.hash: entry.size for tree in trees for entry in fleet.files.entries(tree)}.values())
            change = "install" if not current else "update the configuration" if same else "update"
            if size + RESERVE_BYTES > facts.free_bytes:
                trouble = f"its disk is too full: {facts.free_bytes >> 20} MiB free, {size >> 20} MiB to come"
        trouble = trouble or _lacking(wanted[0], facts, kept)
    except BadInput as error:
        trouble = str(error)
    return Row(
        robot=robot, target=seen.target.name, facts=facts, wanted=[*wanted],
        runtime=there.version if there else "", providers=_usable(there, facts) if there else [], current=current,
        change=change, bytes=size, clock_off_s=facts.unix_s - round(WallClock().unix_s()),
        processes=[place.name for place in configuration.on_board(read, robot)], trouble=trouble)


def _usable(there: Runtime, facts: Facts) -> list[str]:
    """The providers of a runtime for which the board has all that they need, best first."""
    return [name for name, named in ORT_NAMES.items() if named in there.providers and not _lacking(name, facts, there)]


def _lacking(provider: Provider, facts: Facts, there: Runtime | None) -> str:
    """What the board lacks for a provider; empty: nothing. there: its runtime, if that stays; None: not known."""
    if provider != "cpu" and not facts.gpu:
        return f"the inventory says {provider}, and it has no GPU"
    for library in LIBRARIES[provider]:
        if library not in facts.libraries:
            return f"the inventory says {provider}, and {library} is not installed there"
    if there is not None and ORT_NAMES[provider] not in there.providers:
        return f"the inventory says {provider}, and ONNX Runtime {there.version} of its release is built without it"
    return ""


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table."""
    if row.facts is None:
        return (row.robot, *("" for _ in HEADINGS[2:]), row.trouble)
    one = row.facts
    return (
        row.robot, row.target, one.system, one.python, one.glibc, one.jetpack or "-",
        ", ".join(row.providers) if row.runtime else "not known before a runtime is there",
        f"{one.free_bytes / 1e9:.1f} GB", "right" if abs(row.clock_off_s) <= CLOCK_S else f"{row.clock_off_s:+d} s",
        one.power_mode or "-", f"release {row.current}" if row.current else "nothing",
        row.trouble or row.change + (f" ({row.bytes / 1e6:.0f} MB at most)" if row.bytes else ""))
