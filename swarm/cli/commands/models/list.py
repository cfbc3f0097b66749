"""`swarm models list`."""

from __future__ import annotations

import argparse
import json

HELP = "every variant of every model: size, accuracy, run time here"
EXAMPLE = "swarm models list --json"


def run(given: argparse.Namespace) -> int:
    """A row per variant."""
    from models import store
    from swarm.cli.variant_rows import notes_of, rows_of
    from swarm.telemetry.text_table import text_table

    cards = [store.load_card(name) for name in store.names()]
    if given.json:
        print(json.dumps({"models": [row for card in cards for row in rows_of(card)]}))
        return 0
    lines = []
    for card in cards:
        notes = notes_of(card)
        lines += [(row["name"], row["variant"], f"{row['bytes'] / 1024:,.0f}", row["metric"], f"{row['value']:.4f}",
                   f"{row['p50_ms']:.2f}", f"{row['p95_ms']:.2f}", notes[row["variant"]]) for row in rows_of(card)]
    header = ("model", "variant", "KiB", "metric", "value", "p50 ms", "p95 ms", "")
    print(text_table(header, lines, right=(2, 4, 5, 6)), end="")
    return 0
