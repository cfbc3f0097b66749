"""`swarm models list|show`: what the cards say, with the run times of this machine where it was profiled."""

from __future__ import annotations

import argparse
import json

import msgspec

from models import profiles, store
from models.batches import paying
from models.profiles import HOST, VariantProfile
from models.session import VERSION
from swarm.cli.drawing import bar, scatter
from swarm.core.settings.cards import Card, Variant, crossing
from swarm.core.settings.rules import known

BAR = 20


def list_models(given: argparse.Namespace) -> int:
    cards = [store.load_card(name) for name in store.names()]
    if given.json:
        print(json.dumps({"models": [row for card in cards for row in _rows(card)]}))
        return 0
    print(f"{'model':16}{'variant':14}{'KiB':>8}  {'metric':10}{'value':>7}{'p50 ms':>9}{'p95 ms':>9}")
    for card in cards:
        notes = _notes(card)
        for row in _rows(card):
            print(f"{row['name']:16}{row['variant']:14}{row['bytes'] / 1024:8,.0f}  {row['metric']:10}"
                  f"{row['value']:7.4f}{row['p50_ms']:9.2f}{row['p95_ms']:9.2f}  {notes[row['variant']]}".rstrip())
    return 0


def show(given: argparse.Namespace) -> int:
    """Checks the files, too: one that is not what the card says is told by name."""
    known(given.name, store.names(), "swarm models show", "model")
    card = store.load_card(given.name)
    store.check(card)
    if given.json:
        cuts = {key: [[msgspec.to_builtins(spec) for spec in crossing(card, key, k)]
                      for k in range(1, len(variant.stages))] for key, variant in card.variants.items()}
        print(json.dumps(msgspec.to_builtins(card) | {"here": _rows(card), "cuts": cuts}))
    else:
        print("\n".join(_about(card) + _variants(card) + _cuts(card)))
    return 0


def _here(card: Card) -> dict[str, VariantProfile]:
    return profiles.find(card, HOST, "cpu", VERSION)


def _rows(card: Card) -> list[dict]:
    """A variant each; times of this machine if it was profiled, else the card's."""
    times = profiles.run_times(card, _here(card))
    chosen = profiles.chosen(card, times)
    return [
        {"name": card.name, "variant": key, "bytes": variant.bytes, "metric": card.primary_metric,
         "value": variant.metrics[card.primary_metric], "p50_ms": times[key].p50_ms, "p95_ms": times[key].p95_ms,
         "chosen_here": key == chosen}
        for key, variant in card.variants.items()
    ]


def _notes(card: Card) -> dict[str, str]:
    """What is to be said of each variant in words."""
    here = _here(card)
    times = profiles.run_times(card, here)
    slower, chosen = profiles.slower_than_parent(card, times), profiles.chosen(card, times)
    said = {
        key: {
            "chosen here": key == chosen,
            f"slower than {variant.parent} here": key in slower,
            "failed its gate": variant.gate is not None and not variant.gate.passed,
            "not profiled here: times of the card": key not in here,
        }
        for key, variant in card.variants.items()
    }
    return {key: ", ".join(words for words, true in notes.items() if true) for key, notes in said.items()}


def _about(card: Card) -> list[str]:
    macs = f", {card.macs / 1e6:,.1f} M multiply-accumulates" if card.macs else ""
    made = f"opset {card.opset}, IR {card.ir_version}"
    lines = [f"{card.name}: {card.task or 'no task'}, {card.parameters:,} parameters{macs}, {made}"]
    lines += [f"  input   {spec.name} {spec.dtype} {spec.shape}, {spec.bytes:,} bytes" for spec in card.inputs]
    lines += [f"  output  {spec.name} {spec.dtype} {spec.shape}, {spec.bytes:,} bytes" for spec in card.outputs]
    return [*lines, f"  made by {card.made_by}"]


def _variants(card: Card) -> list[str]:
    """Accuracy against run time, and both with sizes as bars."""
    rows, notes = _rows(card), _notes(card)
    most_ms, most_bytes = max(row["p50_ms"] for row in rows), max(row["bytes"] for row in rows)
    lines = ["", *scatter([(row["variant"], row["p50_ms"], row["value"]) for row in rows], "ms p50",
                          card.primary_metric), ""]
    for row in rows:
        lines.append(f"  {row['variant']:13} {row['p50_ms']:8.2f} ms  {bar(row['p50_ms'], most_ms, BAR)}"
                     f"{row['bytes'] / 1024:9,.0f} KiB  {bar(row['bytes'], most_bytes, BAR)}  "
                     f"{notes[row['variant']]}".rstrip())
        variant = card.variants[row["variant"]]
        figures = ", ".join(f"{key} {value:.4g}" for key, value in variant.metrics.items())
        way = f"; from {variant.parent}: {variant.way}" if variant.parent else ""
        lines.append(f"  {'':13} {figures}{way}")
        lines += [f"  {'':13} {line}" for line in _at_once(variant, _here(card).get(row["variant"]))]
    return lines


def _at_once(variant: Variant, here: VariantProfile | None) -> list[str]:
    """How many inputs one run takes, and what that saves, as measured here or else as the card has it."""
    if variant.batch == 1:
        return []
    whole, batches = (here.whole.run_time, here.batches) if here else (variant.run_time, variant.batch_times)
    told = [f"{n} in {time.p50_ms:.2f} ms ({time.p50_ms / n / whole.p50_ms:.2f} of one each)"
            for n, time in sorted(batches.items())]
    pays = len(paying(whole, batches))
    agents = f"agents run up to {pays} at once" if pays else "agents run them one by one, since that gains too little"
    return [f"takes up to {variant.batch} inputs at once" + (f": {', '.join(told)}; {agents}" if told else "")]


def _cuts(card: Card) -> list[str]:
    """Stage by stage, with what crosses between them."""
    lines = []
    for key, variant in card.variants.items():
        if not variant.stages:
            lines += ["", f"  {key}: not cut; `swarm models partition {card.name}` cuts it"]
            continue
        sizes = [sum(spec.bytes for spec in crossing(card, key, k)) for k in range(len(variant.stages) + 1)]
        most, most_ms = max(sizes), max(stage.run_time.p50_ms for stage in variant.stages)
        lines += ["", f"  {key} in {len(variant.stages)} stages:"]
        for k, stage in enumerate(variant.stages):
            if k:
                names = ", ".join(spec.name for spec in crossing(card, key, k))
                lines.append(f"    cut {k:2} {'':8}{sizes[k] / 1024:9,.1f} KiB  {bar(sizes[k], most, BAR)}  {names}")
            lines.append(f"    stage {k:<2}{stage.run_time.p50_ms:8.2f} ms {bar(stage.run_time.p50_ms, most_ms, BAR)}"
                         f"{stage.bytes / 1024:9,.0f} KiB, {stage.macs / 1e6:,.1f} M multiply-accumulates")
    return lines
