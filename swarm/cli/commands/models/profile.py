"""`swarm models profile NAME`: measure a model on this board, and keep the profile in the user's store."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models import profiles
    from swarm.core.settings.boards import Board

HELP = "measure run times, load times and memory of a model on this board"
EXAMPLE = "swarm models profile detector --board orin_nano"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", metavar="NAME")
    p.add_argument("--board", metavar="B", default="host", help="a board of boards.yaml; default: host")


def run(given: argparse.Namespace) -> int:
    """Measure every variant and stage, and save the profile."""
    import msgspec

    from models import profiles, store
    from models.build.measure import profiler
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.rules import known

    known(given.name, store.names(), "swarm models profile", "model")
    board = _board(given.board)
    card = store.load_card(given.name)
    with StatusLine() as status:
        result = profiler.profile(
            card, board=given.board, speed=board.speed if board.emulated else None, on=board.providers,
            threads=board.threads if board.threads > 1 else 0, rounds=profiler.ROUNDS, say=status,
        )
    path = profiles.save(result)
    if given.json:
        print(msgspec.json.encode(result).decode())
        return 0
    how = f"emulated, {result.host} scaled" if result.emulated else result.host
    print(f"{card.name} on {result.board} ({how}), {result.provider}, ONNX Runtime {result.runtime}")
    print(_table(result), end="")
    print(f"saved in {path}")
    return 0


def _board(name: str) -> Board:
    """A board of boards.yaml. Raises: BadInput."""
    from swarm.core.settings.rules import known
    from swarm.launcher import find
    from swarm.launcher.load import load_boards

    boards = load_boards(find.boards_file(Path("launch") / find.BOARDS))
    known(name, boards, "--board", "board")
    return boards[name]


def _table(result: profiles.ModelProfile) -> str:
    """A row per variant, per stage and per batch size."""
    from swarm.telemetry.text_table import text_table

    header = ("", "p50 ms", "p95", "p99", "spread", f"p50, {result.threads} thr.", "load cold", "warm", "peak MB",
              "cut KiB")
    rows: list[tuple[str, ...]] = []
    for key, variant in result.variants.items():
        rows.append(_row(key, variant.whole, None))
        rows += [_row(f"  stage {k}", stage, variant.boundary_bytes[k]) for k, stage in enumerate(variant.stages)]
        rows += [(f"  batch of {inputs}", f"{time.p50_ms:.2f}", f"{time.p95_ms:.2f}")
                 for inputs, time in variant.batches.items()]
    return text_table(header, rows, right=range(1, len(header)))


def _row(name: str, piece: profiles.FileProfile, cut_bytes: int | None) -> tuple[str, ...]:
    time = piece.run_time
    return (name, f"{time.p50_ms:.2f}", f"{time.p95_ms:.2f}", f"{piece.p99_ms:.2f}", f"{piece.spread:.0%}",
            f"{piece.run_time_threads.p50_ms:.2f}", f"{piece.load_cold_ms:.1f}", f"{piece.load_warm_ms:.1f}",
            f"{piece.peak_bytes / 1e6:.1f}", "" if cut_bytes is None else f"{cut_bytes / 1024:.1f}")
