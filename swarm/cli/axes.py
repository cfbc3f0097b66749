"""`--axis NAME=SIZE`: what dynamic axes of a graph are bound to."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.settings.errors import BadInput


def sizes(given: Sequence[str]) -> dict[str, int]:
    """Raises: BadInput for what is not a name and a whole number."""
    found: dict[str, int] = {}
    for text in given:
        name, _, size = text.rpartition("=")
        if not name or not size.isascii() or not size.isdigit() or len(size) > 9:
            raise BadInput(f"--axis {text}", "is no axis and size", "like --axis batch=1")
        found[name] = int(size)
    return found
