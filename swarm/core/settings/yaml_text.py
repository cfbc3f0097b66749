"""Settings as YAML: plain data from text, and text from structures."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml


def parse(text: str) -> Any:
    """Plain data from YAML. Raises: yaml.YAMLError."""
    return yaml.load(text, _Loader)


def dump(settings: msgspec.Struct) -> str:
    """Settings as YAML that `parse` and `check` accept."""
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
