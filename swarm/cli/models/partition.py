"""`swarm models import FILE` and `swarm models partition NAME`: any ONNX graph in, and taken apart."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import msgspec

from models import store
from swarm.cli import extras
from swarm.cli.axes import sizes
from swarm.cli.progress import Progress
from swarm.core.policy.plan import MOST_STAGES
from swarm.core.settings.cards import Card, crossing
from swarm.core.settings.errors import BadInput
from swarm.core.settings.rules import known


def import_model(given: argparse.Namespace) -> int:
    extras.needed("swarm models import", "onnx")
    from models.build.importing import import_file

    path = Path(given.file)
    name = given.name or re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)
    with Progress() as progress:
        card = import_file(path, name, sizes(given.axis), say=progress)
    if given.json:
        print(msgspec.json.encode(card).decode())
        return 0
    ((key, variant),) = card.variants.items()
    print(f"{card.name}: {key}, {card.parameters:,} parameters, {card.macs / 1e6:,.1f} M multiply-accumulates, "
          f"opset {card.opset}, IR {card.ir_version}")
    for word, specs in (("input", card.inputs), ("output", card.outputs)):
        print("\n".join(f"  {word:7}{spec.name} {spec.dtype} {spec.shape}" for spec in specs))
    bound = ", ".join(f"{axis} = {size}" for axis, size in card.dynamic_axes.items())
    print(f"  axes   {bound or 'all static'}")
    print(f"  nodes  {', '.join(f'{count} {operator}' for operator, count in card.operators.items())}")
    print(f"  file   {variant.bytes / 1024:,.0f} KiB, sha256 {variant.sha256}, p50 {variant.run_time.p50_ms:.2f} ms")
    return 0


def partition(given: argparse.Namespace) -> int:
    known(given.name, store.names(), "swarm models partition", "model")
    extras.needed("swarm models partition", "onnx")
    from models.build.cut.staging import partition as cut

    if not 2 <= given.stages <= MOST_STAGES:
        raise BadInput(f"--stages {given.stages}", "cuts nothing" if given.stages < 2 else "is more than robots take",
                       f"2 to {MOST_STAGES}")
    card = store.load_card(given.name)
    with Progress() as progress:
        card = cut(card, given.stages, _variants(card, given.variant), say=progress)
    if given.json:
        made = {key: {"stages": msgspec.to_builtins(variant.stages),
                      "crossing": [msgspec.to_builtins(crossing(card, key, k)) for k in range(len(variant.stages) + 1)]}
                for key, variant in card.variants.items()}
        print(msgspec.json.encode({"name": card.name, "variants": made}).decode())
        return 0
    for key in _variants(card, given.variant):
        _print_stages(card, key)
    return 0


def _print_stages(card: Card, key: str) -> None:
    """A row per stage, with what crosses behind it."""
    variant = card.variants[key]
    if not variant.stages:
        print(f"{card.name} {key}: stays whole; no cut leaves stages that are long enough to be worth their hand-over")
        return
    chain_ms = sum(stage.run_time.p50_ms for stage in variant.stages)
    print(f"{card.name} {key}: {len(variant.stages)} stages, p50 {chain_ms:.2f} ms one after the other, "
          f"whole {variant.run_time.p50_ms:.2f} ms")
    print(f"{'stage':>7}{'p50 ms':>9}{'M MACs':>9}{'file KiB':>10}{'crosses KiB':>13}  tensors behind it")
    for k, stage in enumerate(variant.stages):
        behind = crossing(card, key, k + 1)
        size_bytes = sum(spec.bytes for spec in behind)
        print(f"{k:>7}{stage.run_time.p50_ms:9.2f}{stage.macs / 1e6:9.1f}{stage.bytes / 1024:10.0f}"
              f"{size_bytes / 1024:13.1f}  {', '.join(f'{spec.name} {spec.dtype} {spec.shape}' for spec in behind)}")


def _variants(card: Card, asked: str | None) -> list[str]:
    if asked is not None:
        known(asked, card.variants, "--variant", "variant")
    return [asked] if asked else list(card.variants)
