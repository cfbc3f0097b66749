"""Where models are found: a folder per model with its `card.json` and the files of its variants.

Nothing is loaded that is not what the card says: every file is checked for size and SHA-256 first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from swarm.core.cards import Card
from swarm.core.errors import BadInput

ARTEFACTS = Path(__file__).parent / "artefacts"
"""The models that come with the distribution."""

CARD = "card.json"


class ModelError(BadInput):
    """A model that cannot be used: which file, what is wrong with it, what would be right."""


def names(folder: Path = ARTEFACTS) -> list[str]:
    """The models in `folder`, sorted."""
    return sorted(card.parent.name for card in folder.glob(f"*/{CARD}"))


def load_card(name: str, folder: Path = ARTEFACTS) -> Card:
    """The card of model `name`; ModelError where there is none or it is malformed."""
    known = names(folder)
    if name not in known:
        raise ModelError(f"model {name!r}", f"is not in {folder}", f"available: {', '.join(known) or 'none'}")
    path = folder / name / CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except msgspec.DecodeError as error:
        raise ModelError(str(path), str(error)) from error
    if card.name != name:
        raise ModelError(str(path), f"the card is of model {card.name!r}", f"expected {name!r}")
    return card


def artefact(card: Card, variant: str, folder: Path = ARTEFACTS) -> Path:
    """The file of one variant, checked against its card; ModelError where it is missing, truncated or altered."""
    if variant not in card.variants:
        known = ", ".join(sorted(card.variants))
        raise ModelError(f"model {card.name!r}", f"has no variant {variant!r}", f"available: {known}")
    entry = card.variants[variant]
    path = folder / card.name / entry.file
    if Path(entry.file).name != entry.file:
        raise ModelError(str(folder / card.name / CARD), f"file {entry.file!r} is not a plain file name")
    if not path.is_file():
        raise ModelError(str(path), "the file is missing", "copy the model again, with all its files")
    content = path.read_bytes()
    if len(content) != entry.bytes:
        raise ModelError(str(path), f"found {len(content)} bytes", f"the card expects {entry.bytes}")
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise ModelError(str(path), f"found sha256 {found[:12]}...", f"the card expects {entry.sha256[:12]}...")
    return path
