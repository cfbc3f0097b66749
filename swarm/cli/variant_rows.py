"""The variants of a model as rows: their cards, with the run times of this machine where it has measured them."""

from __future__ import annotations

from models import profiles
from models.profiles import HOST, VariantProfile
from models.session import VERSION
from swarm.core.settings.cards import Card


def measured_here(card: Card) -> dict[str, VariantProfile]:
    """What this machine has measured of each variant; variants that it has not are absent."""
    return profiles.find(card, HOST, "cpu", VERSION)


def rows_of(card: Card) -> list[dict]:
    """A row per variant, for `--json`; times of this machine if it has measured the variant, else the card's."""
    times = profiles.run_times(card, measured_here(card))
    chosen = profiles.chosen(card, times)
    return [
        {"name": card.name, "variant": key, "bytes": variant.bytes, "metric": card.primary_metric,
         "value": variant.metrics[card.primary_metric], "p50_ms": times[key].p50_ms, "p95_ms": times[key].p95_ms,
         "chosen_here": key == chosen}
        for key, variant in card.variants.items()
    ]


def notes_of(card: Card) -> dict[str, str]:
    """By variant: whether agents use it here, and why they do not."""
    here = measured_here(card)
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
