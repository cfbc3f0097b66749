"""`swarm models profile NAME...`: measure models on this board, for the user's store or as a file of the board."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models import profiles
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.boards import Board
    from swarm.core.settings.cards import Card, Provider

HELP = "measure run times, load times and memory of models on this board"
EXAMPLE = "swarm models profile detector segmenter --board orin_nano_15w --out my_orin.yaml"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="NAME", nargs="+", help="a model")
    p.add_argument("--board", metavar="B", default="host", help="a board of boards.yaml; default: host")
    p.add_argument("--out", metavar="FILE", help="this machine is such a board: measure it as it is, and write a file "
                                                 "that `swarm launch --boards FILE` reads anywhere")


def run(given: argparse.Namespace) -> int:
    """Measure every variant and stage, and save the profiles; with --out, write the board's file, too."""
    import msgspec

    from models import profiles, store
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.errors import BadInput
    from swarm.core.settings.rules import known

    for name in given.model:
        known(name, store.names(), "swarm models profile", "model")
    board = _board(given.board)
    if given.out:
        board = msgspec.structs.replace(board, emulated=False)
        _check_writable(Path(given.out))
    elif board.emulated and "cpu" not in board.providers:
        raise BadInput(f"--board {given.board}", f"its models run on {' or '.join(board.providers)}, not on a CPU",
                       "a class of a CPU; or, on the board itself, --out FILE")
    cards = [store.load_card(name) for name in dict.fromkeys(given.model)]
    with StatusLine() as status:
        results = [_profile(card, given.board, board, status) for card in cards]
    paths = [profiles.save(result) for result in results]
    if given.out:
        _write(Path(given.out), given.board, board, cards, results)
    if given.json:
        told = [msgspec.json.encode(result).decode() for result in results]
        print(told[0] if len(told) == 1 else f'{{"profiles": [{", ".join(told)}]}}')
        return 0
    for result, path in zip(results, paths, strict=True):
        how = f"emulated, {result.host} scaled" if result.emulated else result.host
        print(f"{result.model} on {result.board} ({how}), {result.provider}, ONNX Runtime {result.runtime}")
        print(_table(result), end="")
        print(f"saved in {path}")
    if given.out:
        print(f"{given.board} as it is here: {given.out}; fly it with: swarm launch NAME --boards {given.out}")
    return 0


def _profile(card: Card, name: str, board: Board, status: StatusLine) -> profiles.ModelProfile:
    from models.build.measure import profiler

    return profiler.profile(
        card, board=name, speed=board.speed if board.emulated else None, overhead_ms=board.overhead_ms,
        on=board.providers, threads=board.threads if board.threads > 1 else 0, rounds=profiler.ROUNDS, say=status)


def _check_writable(path: Path) -> None:
    """Before minutes of measuring. Raises: BadInput."""
    from swarm.core.settings.errors import BadInput

    try:
        there = path.absolute().parent.is_dir() and not path.is_dir()
    except (OSError, ValueError):                    # a name that is too long
        there = False
    if not there:
        raise BadInput(f"--out {path}", "no file can be written there", "a file in a folder that exists")


def _write(
    path: Path, name: str, board: Board, cards: Sequence[Card], results: Sequence[profiles.ModelProfile]
) -> None:
    """Write the board's file. Raises: BadInput."""
    from models.build.measure.board_file import measured_board
    from models.build.measure.machine import this_machine
    from models.providers import order
    from swarm.core.clock import local_time
    from swarm.core.settings import yaml_text
    from swarm.core.settings.errors import BadInput

    by_name = {card.name: card for card in cards}
    ran_on: dict[tuple[str, str], Provider] = {
        (result.model, key): order(board.providers, by_name[result.model].variants[key].providers, key)[0]
        for result in results for key in result.variants}
    made = measured_board(board, name, this_machine(), by_name, results, ran_on, local_time())
    try:
        path.write_text(f"# Written by `swarm models profile`; read it with `--boards {path.name}`.\n"
                        + yaml_text.dump({name: made}, compact=True), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--out {path}", error.strerror or str(error), "a file that can be written") from None


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
