"""Benches: one module each, or a folder with a `bench.py`; the folder is the registry, and `support` is no bench.

The first line of a bench's docstring says what it measures. A bench defines `run(given, tell) -> figures`, which
measures (`given`: its options; `tell` hears of the progress), and `told(figures) -> str`, the figures for people.
Figures are a dict or a struct: one JSON object. It may define `arguments(parser)`, its options, and `NEEDS`, modules
that are in no base installation: what imports these, it imports when it runs.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from swarm.plugins import extended

__path__ = extended(__path__, "benches")

SUPPORT = "support"


class Bench(Protocol):
    """What every bench's module has."""

    def run(self, given: argparse.Namespace, tell: Callable[[str], None]) -> Any:
        """Measure. Returns the figures."""
        ...

    def told(self, figures: Any) -> str:
        """The figures as text."""
        ...


def available() -> list[str]:
    """The names of all benches, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != SUPPORT)


def load(name: str) -> Bench:
    """The bench of a name that is available."""
    module = importlib.import_module(f"{__name__}.{name}")
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{module.__name__}.bench")
    return cast(Bench, module)


def about(name: str) -> str:
    """The first line of its docstring; the bench is not imported for that: it may need what is not installed."""
    spec = importlib.util.find_spec(f"{__name__}.{name}")
    if spec is not None and spec.submodule_search_locations:
        spec = importlib.util.find_spec(f"{__name__}.{name}.bench")
    if spec is None or spec.origin is None:
        raise ImportError(f"{__name__}.{name} is not there")
    return (ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or "").partition("\n")[0]
