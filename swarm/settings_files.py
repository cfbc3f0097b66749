"""Settings files on the disk: the host's side of `swarm/core/settings/`, which knows only what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml

from swarm.core.settings import yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """A settings file as a checked structure. Raises: BadInput."""
    return check(load(path), kind, str(path))


def load(path: Path) -> Any:
    """The YAML of a file as plain data. Raises: BadInput if the file cannot be read or is not YAML."""
    try:
        return yaml_text.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a readable YAML file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(str(path), " ".join(str(error).split()), "valid YAML") from None
