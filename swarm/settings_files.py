"""Settings files on the disk: the host's side of `swarm/core/settings/`, which knows only what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from swarm.core.settings import yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check

T = TypeVar("T")
MOST_BYTES = 4 << 20                 # of a settings file


def read(path: Path, kind: type[T]) -> T:
    """A settings file as a checked structure. Raises: BadInput."""
    return check(load(path), kind, str(path))


def load(path: Path) -> Any:
    """The YAML of a file as plain data. Raises: BadInput if the file cannot be read or is not YAML in UTF-8."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:           # a path with a NUL is a ValueError
        raise BadInput(str(path), getattr(error, "strerror", None) or str(error), "a readable YAML file") from None
    if len(content) > MOST_BYTES:
        raise BadInput(str(path), f"over {MOST_BYTES >> 20} MiB", "a settings file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {line}", f"byte 0x{content[error.start]:02x} is not UTF-8",
                       "a file that was saved as UTF-8") from None
    return yaml_text.parse(text, str(path))
