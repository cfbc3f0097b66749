"""`swarm models partition NAME`: cut a model into a chain of stages."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from swarm.cli import extras
from swarm.cli.commands.models.import_ import add_input
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from swarm.core.settings.cards import Card

HELP = "cut a model into stages with about equal run times"
EXAMPLE = "swarm models partition detector --stages 8"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", metavar="NAME")
    p.add_argument("--stages", type=int, metavar="N", default=8, help="at most; default: 8")
    p.add_argument("--variant", metavar="V", help="default: all")
    add_input(p)


def run(given: argparse.Namespace) -> int:
    """Cut the variants and print a table of the stages of each."""
    import msgspec

    from models import store
    from swarm.core.policy.plan import MOST_STAGES
    from swarm.core.settings.cards import crossing
    from swarm.core.settings.rules import known

    known(given.name, store.names(), "swarm models partition", "model")
    extras.needed("swarm models partition", "onnx")
    from models.build.cut.cut_variants import partition as cut
    from swarm.cli.status_line import StatusLine

    if not 2 <= given.stages <= MOST_STAGES:
        raise BadInput(f"--stages {given.stages}", "is too few" if given.stages < 2 else "is more than agents accept",
                       f"2 to {MOST_STAGES}")
    card, notes = store.load_card(given.name), []
    with StatusLine() as status:
        card = cut(card, given.stages, _variants(card, given.variant), say=status, note=notes.append,
                   inputs=given.input)
    if given.json:
        made = {key: {"stages": msgspec.to_builtins(variant.stages),
                      "crossing": [msgspec.to_builtins(crossing(card, key, k)) for k in range(len(variant.stages) + 1)]}
                for key, variant in card.variants.items()}
        print(msgspec.json.encode({"name": card.name, "variants": made, "notes": notes}).decode())
        return 0
    for key in _variants(card, given.variant):
        _print_stages(card, key)
    print("".join(f"  note: {note}\n" for note in notes), end="")
    return 0


def _print_stages(card: Card, key: str) -> None:
    """A row per stage, with the tensors that cross to the next one."""
    from swarm.core.settings.cards import crossing
    from swarm.telemetry.text_table import text_table

    variant = card.variants[key]
    if not variant.stages:
        print(f"{card.name} {key}: stays whole; in every cut the stages are too short to be worth a transfer")
        return
    chain_ms = sum(stage.run_time.p50_ms for stage in variant.stages)
    print(f"{card.name} {key}: {len(variant.stages)} stages, p50 {chain_ms:.2f} ms in sequence, "
          f"unsplit {variant.run_time.p50_ms:.2f} ms")
    rows = []
    for k, stage in enumerate(variant.stages):
        outputs = crossing(card, key, k + 1)
        rows.append((str(k), f"{stage.run_time.p50_ms:.2f}", f"{stage.macs / 1e6:.1f}", f"{stage.bytes / 1024:.0f}",
                     f"{sum(spec.bytes for spec in outputs) / 1024:.1f}",
                     ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in outputs)))
    header = ("stage", "p50 ms", "M MACs", "file KiB", "output KiB", "output tensors")
    print(text_table(header, rows, right=range(5)), end="")


def _variants(card: Card, asked: str | None) -> list[str]:
    """The variant asked for, else all. Raises: BadInput."""
    from swarm.core.settings.rules import known

    if asked is not None:
        known(asked, card.variants, "--variant", "variant")
    return [asked] if asked else list(card.variants)
