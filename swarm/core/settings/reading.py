"""Reads and writes settings files: YAML to checked structures, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from swarm.core.settings.errors import BadInput
from swarm.core.settings.validation import check

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """A settings file as a checked structure. Raises: BadInput."""
    return check(load(path), kind, str(path))


def load(path: Path) -> Any:
    """The YAML of a file as plain data. Raises: BadInput if the file cannot be read or is not YAML."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a readable YAML file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(str(path), " ".join(str(error).split()), "valid YAML") from None


def parse(text: str) -> Any:
    """Plain data from YAML. Raises: yaml.YAMLError."""
    return yaml.load(text, _Loader)


def dump(settings: msgspec.Struct) -> str:
    """Settings as YAML that `read` accepts."""
    return yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Reads the scalars of YAML 1.2: `on` is text, not true, and 1e3 is a number, not text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith((":bool", ":float"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("float", r"(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
     "-+.0123456789"),
)
for _kind, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_kind}", re.compile(_pattern, re.ASCII), list(_first))
