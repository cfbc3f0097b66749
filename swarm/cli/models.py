"""`swarm models list|show`: what the cards say."""

from __future__ import annotations

import argparse
import json

import msgspec

from models import store
from swarm.core.cards import Card
from swarm.core.errors import BadInput
from swarm.core.rules import known


def models(given: argparse.Namespace) -> int:
    names = store.names()
    if given.action == "show":
        if given.name is None:
            raise BadInput("swarm models show", "no name", f"one of {', '.join(names) or 'none: no model is here'}")
        known(given.name, names, "swarm models show", "model")
        names = [given.name]
    cards = [store.load_card(name) for name in names]
    if given.json:
        plain = [msgspec.to_builtins(card) for card in cards]
        print(json.dumps(plain[0] if given.action == "show" else plain))
        return 0
    for card in cards:
        _list(card)
        if given.action == "show":
            _show(card)
    return 0


def _list(card: Card) -> None:
    print(f"{card.name}: {card.task}, {card.parameters:,} parameters, variants {', '.join(card.variants)}")


def _show(card: Card) -> None:
    for spec in card.inputs:
        print(f"  input   {spec.name} {spec.dtype} {spec.shape}, {spec.bytes:,} bytes")
    for spec in card.outputs:
        print(f"  output  {spec.name} {spec.dtype} {spec.shape}")
    for name, variant in card.variants.items():
        store.artefact(card, name)                   # the file is what the card says, or a ModelError says how not
        figures = ", ".join(f"{key} {value:.4g}" for key, value in variant.metrics.items())
        times = f"{variant.run_time.p50_ms:.2f} ms p50, {variant.run_time.p95_ms:.2f} p95"
        print(f"  {name:7} {variant.bytes / 1024:,.0f} KiB, {times}, {figures}")
    print(f"  opset {card.opset}, IR {card.ir_version}; made by: {card.made_by}")
