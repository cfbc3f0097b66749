"""`swarm models show NAME`: the facts of the card, and run times measured on this machine, if any."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.profiles import VariantProfile
    from swarm.core.settings.cards import Card, Variant

HELP = "one model: accuracy against run time and size, and its cuts"
EXAMPLE = "swarm models show detector"
BAR = 20                             # characters


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", metavar="NAME")


def run(given: argparse.Namespace) -> int:
    """Print the model. Raises: ModelError if a file does not match the card."""
    import msgspec

    from models import store
    from swarm.cli.variant_rows import rows_of
    from swarm.core.settings.cards import crossing
    from swarm.core.settings.rules import known

    known(given.name, store.names(), "swarm models show", "model")
    card = store.load_card(given.name)
    store.check(card)
    if given.json:
        cuts = {key: [[msgspec.to_builtins(spec) for spec in crossing(card, key, k)]
                      for k in range(1, len(variant.stages))] for key, variant in card.variants.items()}
        print(json.dumps(msgspec.to_builtins(card) | {"here": rows_of(card), "cuts": cuts}))
    else:
        print("\n".join([*_about(card), "", *_variants(card), *_cuts(card)]))
    return 0


def _about(card: Card) -> list[str]:
    from models.oldest_runtime import too_new
    from swarm.cli.commands.models.import_ import of_task

    macs = f", {card.macs / 1e6:,.1f} M multiply-accumulates" if card.macs else ""
    made = f"opset {card.opset}, IR {card.ir_version}"
    lines = [f"{card.name}: {card.task or 'no task'}, {card.parameters:,} parameters{macs}, {made}"]
    lines += [f"  input   {spec.name} {spec.dtype} {spec.shape}, {spec.bytes:,} bytes" for spec in card.inputs]
    lines += [f"  output  {spec.name} {spec.dtype} {spec.shape}, {spec.bytes:,} bytes" for spec in card.outputs]
    lines.append(f"  task    {of_task(card)}")
    too_new_for = too_new(card.opset, card.ir_version)
    return [*lines, f"  made by {card.made_by}", *([f"  note    {too_new_for}"] if too_new_for else [])]


def _variants(card: Card) -> list[str]:
    """A chart of accuracy against run time, a table of times and sizes, and the other facts of each variant."""
    from rich.bar import Bar

    from swarm.cli.scatter import scatter
    from swarm.cli.variant_rows import measured_here, notes_of, rows_of
    from swarm.telemetry.text_table import text_table

    rows, notes = rows_of(card), notes_of(card)
    max_ms, max_bytes = max(row["p50_ms"] for row in rows), max(row["bytes"] for row in rows)
    chart = scatter([(row["variant"], row["p50_ms"], row["value"]) for row in rows], "ms p50", card.primary_metric)
    table = text_table(("variant", "p50 ms", "", "KiB", "", ""), [
        (row["variant"], f"{row['p50_ms']:.2f}", Bar(max_ms, 0, row["p50_ms"], width=BAR),
         f"{row['bytes'] / 1024:,.0f}", Bar(max_bytes, 0, row["bytes"], width=BAR), notes[row["variant"]])
        for row in rows], right=(1, 3))
    lines = [*chart, "", *table.splitlines(), "", *_family(card), ""]
    for key, variant in card.variants.items():
        figures = ", ".join(f"{metric} {value:.4g}" for metric, value in variant.metrics.items())
        source = variant.parent or variant.teacher
        way = f"; from {source}: {variant.way}" if source else ""
        lines += [f"{key}: {figures}{way}", *(f"  {line}" for line in _batches(variant, measured_here(card).get(key)))]
    return lines


def _family(card: Card) -> list[str]:
    """The networks, step by step, each in its fastest form; then the front, and what beats each other variant."""
    from swarm.cli.front import beaten_by, fastest_forms, front, steps
    from swarm.cli.variant_rows import points_of
    from swarm.core.settings.cards import network

    points = points_of(card)
    forms, on_it = fastest_forms(points, {key: network(card, key) for key in card.variants}), front(points)
    lines = [f"networks, each in its fastest form: {', '.join(point.variant for point in forms)}"]
    lines += [f"  {step.slower} to {step.faster}: {step.times_as_fast:.2f} times as fast, "
              f"{1 / step.times_as_small:.2f} of the size, {card.primary_metric} {-step.lost:+.4f}"
              for step in steps(forms)]
    lines += [f"front of {card.primary_metric}, run time and size: {', '.join(point.variant for point in on_it)}"]
    lines += [f"  {point.variant} is beaten by {beaten_by(point, points)}" for point in points if point not in on_it]
    return lines


def _batches(variant: Variant, here: VariantProfile | None) -> list[str]:
    """The batch sizes and their times, measured on this machine or else from the card."""
    from models.batch_sizes import paying

    if variant.batch == 1:
        return []
    whole, batches = (here.whole.run_time, here.batches) if here else (variant.run_time, variant.batch_times)
    times = [f"{n} in {time.p50_ms:.2f} ms ({time.p50_ms / n / whole.p50_ms:.2f} of single runs)"
             for n, time in sorted(batches.items())]
    pays = len(paying(whole, batches))
    agents = f"agents run batches of up to {pays}" if pays else "agents do not batch, since the gain is too small"
    return [f"batches of up to {variant.batch} inputs" + (f": {', '.join(times)}; {agents}" if times else "")]


def _cuts(card: Card) -> list[str]:
    """The stages of each variant, with the tensors between them."""
    from rich.bar import Bar

    from swarm.core.settings.cards import crossing
    from swarm.telemetry.text_table import text_table

    lines = []
    for key, variant in card.variants.items():
        if not variant.stages:
            lines += ["", f"{key}: not cut; `swarm models partition {card.name}` cuts it"]
            continue
        sizes = [sum(spec.bytes for spec in crossing(card, key, k)) for k in range(len(variant.stages) + 1)]
        max_cut, max_ms = max(sizes), max(stage.run_time.p50_ms for stage in variant.stages)
        rows: list[tuple[object, ...]] = []
        for k, stage in enumerate(variant.stages):
            if k:
                names = ", ".join(spec.name for spec in crossing(card, key, k))
                bar = Bar(max_cut, 0, sizes[k], width=BAR)
                rows.append((f"cut {k}", "", "", f"{sizes[k] / 1024:,.1f}", bar, names))
            rows.append((f"stage {k}", f"{stage.run_time.p50_ms:.2f}",
                         Bar(max_ms, 0, stage.run_time.p50_ms, width=BAR), f"{stage.bytes / 1024:,.0f}", "",
                         f"{stage.macs / 1e6:,.1f} M multiply-accumulates"))
        table = text_table(("", "p50 ms", "", "KiB", "", ""), rows, right=(1, 3))
        lines += ["", f"{key} in {len(variant.stages)} stages:", *(f"  {line}" for line in table.splitlines())]
    return lines
