"""Benches: one module each, or a folder with a `bench.py`. This folder is the registry; `support` is not a bench.

The first line of a bench's docstring states what it measures. A bench defines `run(given, progress) -> figures`, which
measures (`given`: its options; `progress(text)` shows the progress), and `as_text(figures) -> str`, a table for people.
Figures are a dict or a struct: one JSON object. A bench may define `arguments(parser)`, its options, and `NEEDS`:
modules that the base installation lacks. It imports these when it runs.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import pkgutil
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from swarm import plugins

__path__ = plugins.extended(__path__, "benches")

SUPPORT = "support"


def _module(name: str) -> str:
    """The module of a bench: `deploy-cuts` is `deploy_cuts`."""
    return name.replace("-", "_")


class CannotRun(RuntimeError):
    """The machine lacks what a bench needs: one line that says what, and how to get it. The command exits with 1."""


class Bench(Protocol):
    """The interface of a bench's module."""

    def run(self, given: argparse.Namespace, progress: Callable[[str], None]) -> Any:
        """Measure. Returns the figures. Raises: CannotRun."""
        ...

    def as_text(self, figures: Any) -> str:
        """The figures as text."""
        ...


def available() -> list[str]:
    """The names of all benches, sorted."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if m.name != SUPPORT)


def load(name: str) -> Bench:
    """The module of an available bench."""
    path = f"{__name__}.{_module(name)}"
    path += ".bench" if hasattr(plugins.load(path), "__path__") else ""
    return cast(Bench, plugins.load(path, "run", "as_text"))


def about(name: str) -> str:
    """The first line of a bench's docstring. The bench is not imported: its modules may not be installed."""
    with plugins.blamed(f"{__name__}.{_module(name)}"):
        spec = importlib.util.find_spec(f"{__name__}.{_module(name)}")
        if spec is not None and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{__name__}.{_module(name)}.bench")
        if spec is None or spec.origin is None:
            raise ImportError(f"there is no {__name__}.{_module(name)}")
        return _docstring(Path(spec.origin)).partition("\n")[0]


def _docstring(path: Path) -> str:
    """The docstring of a module. Only that much is read: to parse all benches takes a tenth of a second.

    One that has none is parsed, so that a text that is no Python is told.
    """
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.STRING:
                return str(ast.literal_eval(token.string))
            if token.type not in (tokenize.ENCODING, tokenize.COMMENT, tokenize.NL):
                break
    return ast.get_docstring(ast.parse(path.read_bytes())) or ""
