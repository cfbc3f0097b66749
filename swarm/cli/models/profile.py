"""`swarm models profile NAME`: what a model takes on this board, kept beside its card."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from models import profiles, store
from swarm.cli.progress import Progress
from swarm.core.settings.cards import Card
from swarm.core.settings.config import Board
from swarm.core.settings.rules import known
from swarm.launcher import find
from swarm.launcher.load import load_boards


def profile(given: argparse.Namespace) -> int:
    from models.build.measure import profile as measuring

    known(given.name, store.names(), "swarm models profile", "model")
    board = _board(given.board)
    card = store.load_card(given.name)
    with Progress() as progress:
        result = measuring.profile(
            card, board=given.board, speed=board.speed if board.emulated else None, on=board.providers,
            threads=board.threads if board.threads > 1 else 0, rounds=measuring.ROUNDS, say=progress,
        )
    path = profiles.save(result)
    if given.json:
        print(msgspec.json.encode(result).decode())
        return 0
    how = f"emulated, {result.host} scaled" if result.emulated else result.host
    print(f"{card.name} on {result.board} ({how}), {result.provider}, ONNX Runtime {result.runtime}")
    for line in _lines(card, result):
        print(line)
    print(f"kept in {path}")
    return 0


def _board(name: str) -> Board:
    boards = load_boards(find.boards_file(Path("launch") / find.BOARDS))
    known(name, boards, "--board", "board")
    return boards[name]


def _lines(card: Card, result: profiles.ModelProfile) -> list[str]:
    """A row per variant, stage and number of inputs at once."""
    title = (f"{'':16}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'spread':>9}{f'p50, {result.threads} thr.':>14}"
             f"{'load cold':>11}{'warm':>8}{'peak MB':>9}{'cut KiB':>9}")
    lines = [title]
    for key, variant in result.variants.items():
        rows = [(key, variant.whole, None)]
        rows += [(f"  stage {k}", stage, variant.boundary_bytes[k]) for k, stage in enumerate(variant.stages)]
        lines += [_line(name, piece, cut_bytes) for name, piece, cut_bytes in rows]
        lines += [f"  {f'{inputs} at once':14}{time.p50_ms:9.2f}{time.p95_ms:9.2f}"
                  for inputs, time in variant.batches.items()]
    return lines


def _line(name: str, piece: profiles.Piece, cut_bytes: int | None) -> str:
    time = piece.run_time
    cut = "" if cut_bytes is None else f"{cut_bytes / 1024:.1f}"
    return (f"{name:16}{time.p50_ms:9.2f}{time.p95_ms:9.2f}{piece.p99_ms:9.2f}{piece.spread:9.0%}"
            f"{piece.run_time_threads.p50_ms:14.2f}{piece.load_cold_ms:11.1f}{piece.load_warm_ms:8.1f}"
            f"{piece.peak_bytes / 1e6:9.1f}{cut:>9}")
