"""The variants of a model as rows: facts of their cards, and run times measured on this machine, if any."""

from __future__ import annotations

from models import profiles
from models.profiles import HOST, VariantProfile
from models.session import VERSION
from swarm.cli.front import Point, front
from swarm.core.settings.cards import Card


def measured_here(card: Card) -> dict[str, VariantProfile]:
    """The profile of each variant that was measured on this machine."""
    return profiles.find(card, HOST, "cpu", VERSION)


def rows_of(card: Card) -> list[dict]:
    """A row per variant, for `--json`. Times are measured on this machine, else from the card."""
    here = profiles.run_times(card, measured_here(card))
    chosen, on_front = profiles.chosen(card, here), {point.variant for point in front(points_of(card))}
    times = {key: here.get(key, variant.run_time) for key, variant in card.variants.items()}
    return [
        {"name": card.name, "variant": key, "bytes": variant.bytes, "metric": card.primary_metric,
         "value": variant.metrics[card.primary_metric], "p50_ms": times[key].p50_ms, "p95_ms": times[key].p95_ms,
         "chosen_here": key == chosen, "on_front": key in on_front, "providers": variant.providers}
        for key, variant in card.variants.items()
    ]


def points_of(card: Card) -> list[Point]:
    """The variants for this processor that passed their gate. Times are measured here if all were, else the card's."""
    here, for_cpu = measured_here(card), profiles.runnable(card, ("cpu",))
    times = profiles.run_times(card, here if all(key in here for key in for_cpu) else {})
    return [Point(key, variant.metrics[card.primary_metric], times[key].p50_ms, variant.bytes)
            for key in for_cpu if (variant := card.variants[key]).gate is None or variant.gate.passed]


def notes_of(card: Card) -> dict[str, str]:
    """By variant: whether agents use it on this machine, or why not."""
    here = measured_here(card)
    times = profiles.run_times(card, here)
    slower, chosen = profiles.slower_than_parent(card, times), profiles.chosen(card, times)
    conditions = {
        key: {
            "chosen here": key == chosen,
            f"slower than {variant.parent} here": key in slower,
            "failed its gate": variant.gate is not None and not variant.gate.passed,
            "not profiled here: times of the card": key not in here,
        } if key in times else {f"for {', '.join(variant.providers)}; not here": True}
        for key, variant in card.variants.items()
    }
    return {key: ", ".join(words for words, true in notes.items() if true) for key, notes in conditions.items()}
