"""The model stores: `NAME/card.json` per model, and every file as `blobs/SHA256.onnx`, shared by all cards.

Models are searched in `home()`, where commands write, then in the package. Before a file is loaded, its size and
SHA-256 are checked against the card.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput

ARTEFACTS = Path(__file__).parent / "artefacts"
"""The store of the models that come with the distribution."""

CARD = "card.json"
BLOBS = "blobs"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")


class ModelError(BadInput):
    """A model cannot be used: the file, the error, and what would be right."""


def home() -> Path:
    """The user's own store, $SWARM_MODELS: models that the user imported, measured or changed."""
    return Path(os.environ.get("SWARM_MODELS") or Path.home() / ".local" / "share" / "swarm" / "models")


def names(folder: Path | None = None) -> list[str]:
    """The models in `folder`, or in all stores; sorted."""
    return sorted({card.parent.name for store in _stores(folder) for card in store.glob(f"*/{CARD}")} - {BLOBS})


def load_card(name: str, folder: Path | None = None) -> Card:
    """The first card found of model `name`; ModelError if there is none or it is malformed."""
    path = card_path(name, folder)
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except msgspec.DecodeError as error:
        raise ModelError(str(path), str(error), "a card that `swarm models import` has written") from error
    if card.name != name:
        raise ModelError(str(path), f"the card is of model {card.name!r}", f"expected {name!r}")
    return card


def card_path(name: str, folder: Path | None = None) -> Path:
    """The file of the first card found of model `name`; ModelError if there is none."""
    if name not in names(folder):
        where = " or ".join(map(str, _stores(folder)))
        raise ModelError(f"model {name!r}", f"is not in {where}", f"available: {', '.join(names(folder)) or 'none'}")
    return next(path for store in _stores(folder) if (path := store / name / CARD).is_file())


def artefact(card: Card, variant: str, folder: Path | None = None) -> Path:
    """The file of one variant, checked against its card; ModelError if it is missing, truncated or altered."""
    if variant not in card.variants:
        known = ", ".join(sorted(card.variants))
        raise ModelError(f"model {card.name!r}", f"has no variant {variant!r}", f"available: {known}")
    entry = card.variants[variant]
    return blob(entry.sha256, entry.bytes, folder, f"{card.name} {variant}")


def stage(card: Card, variant: str, k: int, folder: Path | None = None) -> Path:
    """The file of stage `k` of a variant, checked as `artefact` checks."""
    entry = card.variants[variant].stages[k]
    return blob(entry.sha256, entry.bytes, folder, f"{card.name} {variant} stage {k}")


def check(card: Card, folder: Path | None = None) -> None:
    """Check all files of a model and its stages. Raises: ModelError for the first file that does not match the card."""
    for key, variant in card.variants.items():
        artefact(card, key, folder)
        for k in range(len(variant.stages)):
            stage(card, key, k, folder)


def blob(sha256: str, size_bytes: int, folder: Path | None = None, what: str = "a model") -> Path:
    """The file with this hash; ModelError, which names the file and its owner `what`, if it is missing or altered."""
    if not SHA256.fullmatch(sha256):
        raise ModelError(what, f"{sha256[:80]!r} is no sha256", "64 hexadecimal digits, in lower case")
    paths = [store / BLOBS / f"{sha256}.onnx" for store in _stores(folder)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ModelError(f"{paths[0]} ({what})", "the file is missing", "copy the model again, with all its files")
    content = path.read_bytes()
    if len(content) != size_bytes:
        raise ModelError(f"{path} ({what})", f"found {len(content)} bytes", f"the card expects {size_bytes}")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(f"{path} ({what})", f"found sha256 {found[:12]}...", f"the card expects {sha256[:12]}...")
    return path


def put(content: bytes, folder: Path | None = None) -> tuple[str, int]:
    """Store a file in `folder` or in the user's store. Returns its sha256 and its size in bytes, as cards have them."""
    sha256 = hashlib.sha256(content).hexdigest()
    write(_target(folder) / BLOBS / f"{sha256}.onnx", content)
    return sha256, len(content)


def must_be_name(name: str) -> None:
    """Raises: ModelError if `name` is not allowed as the name of a model."""
    if not NAME.fullmatch(name) or name == BLOBS:
        raise ModelError(f"model {name[:80]!r}", "is no name of a model",
                         "a letter, then up to 63 letters, digits, _, . or -")


def save_card(card: Card, folder: Path | None = None) -> Path:
    """Write a card into `folder` or into the user's store, after its files were `put`. Returns the path."""
    must_be_name(card.name)
    path = _target(folder) / card.name / CARD
    write(path, encoded(card))
    return path


def encoded(card: Card) -> bytes:
    """The content of a card's file."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n"


def sweep(folder: Path) -> None:
    """Remove the files of a store that no card refers to; no other process may write to it meanwhile."""
    cards = [load_card(name, folder) for name in names(folder)]
    used = {entry.sha256 for card in cards for variant in card.variants.values()
            for entry in (variant, *variant.stages)}
    for path in (folder / BLOBS).glob("*.onnx"):
        if path.stem not in used:
            path.unlink()


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: a concurrent reader sees the old file or the new one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(str(path), error.strerror or str(error), "a folder that can be written") from None


def _stores(folder: Path | None) -> Sequence[Path]:
    return [folder] if folder is not None else [home(), ARTEFACTS]


def _target(folder: Path | None) -> Path:
    return folder if folder is not None else home()
