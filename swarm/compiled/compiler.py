"""Compiles numeric loops to machine code. It alone imports numba.

An entry is compiled when its module is imported for the first time, which takes 10 to 20 s; later it is read from the
user's cache (`cache.py`). Processes that import it at the same time wait for the one that compiles. Numba would take an
entry from its cache although a function that it calls has changed in another file; so there is a folder for each
content of the entry's package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils, types
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

from swarm.compiled.cache import alone, folder_of, is_complete

F = TypeVar("F", bound=Callable[..., Any])

_njit: Any = numba.njit
_OPTIONS = {"error_model": "numpy", "_nrt": False}   # without counts of references: parts make no arrays


def part(call: F) -> F:
    """Marks a function that entries, and other parts, call. It is compiled with them."""
    return cast("F", _njit(**_OPTIONS)(call))


def entry(*arguments: object) -> Callable[[F], F]:
    """Compiles a function for arguments of the same types as these. It runs without Python's lock."""

    def compiled(call: F) -> F:
        folder = folder_of(Path(call.__code__.co_filename).parent)
        with alone(folder) as kept:
            return _compiled(call, arguments, folder if kept else None)

    return compiled


def _compiled(call: F, arguments: tuple[object, ...], folder: Path | None) -> F:
    """folder: the cache. None: there is none, so each process compiles for itself."""
    if folder is None or not is_complete(folder):
        print(f"compiling {call.__module__} for this machine, once: about 10 s", file=sys.stderr, flush=True)
    if folder is None:
        dispatcher = _njit(**_OPTIONS, nogil=True)(call)
    else:
        known = numba.config.CACHE_DIR               # type: ignore[attr-defined]
        numba.config.CACHE_DIR = str(folder)         # type: ignore[attr-defined]
        try:
            dispatcher = _njit(**_OPTIONS, nogil=True, cache=True)(call)
        finally:
            numba.config.CACHE_DIR = known           # type: ignore[attr-defined]
    dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments))
    dispatcher.disable_compile()
    return cast("F", dispatcher)


# A named tuple of arrays passed by value is some hundred values in each call: it takes a minute to compile.

class _Reference(types.Type):
    """A pointer to a named tuple on the stack of the entry."""

    def __init__(self, of: Any) -> None:
        self.of = of
        super().__init__(name=f"reference({of})")


@register_model(_Reference)
class _ReferenceModel(models.PrimitiveModel):
    def __init__(self, manager: Any, reference: Any) -> None:
        super().__init__(manager, reference, manager.lookup(reference.of).get_value_type().as_pointer())


@infer_getattr
class _ReferenceAttributes(AttributeTemplate):
    key = _Reference

    def generic_resolve(self, reference: Any, name: str) -> Any:
        of = reference.of
        return of.types[of.fields.index(name)] if name in of.fields else None


@lower_getattr_generic(_Reference)
def _attribute(context: Any, builder: Any, reference: Any, value: Any, name: str) -> Any:
    return builder.load(cgutils.gep_inbounds(builder, value, 0, reference.of.fields.index(name)))


@intrinsic
def _refer(typing: Any, record: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return _Reference(record)(record), generate


refer: Any = _refer
"""refer(arrays): in an entry, its named tuple of arrays, to be passed to parts by reference."""
