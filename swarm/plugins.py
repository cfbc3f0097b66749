"""Plug-ins: scenarios, behaviours and other additions of one file in a user's own folder: `SWARM_PLUGINS=DIR[:DIR...]`.

Each registry is a package whose files are its entries. A folder of plug-ins has a subfolder per registry:
`scenarios/`, `behaviours/`, `tasks/`, `policies/`, `benches/`, `commands/`; each file in it is one more entry. The
processes that a launcher starts inherit the variable.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from swarm.core.settings.errors import BadInput

VARIABLE = "SWARM_PLUGINS"


def extended(path: Iterable[str], kind: str) -> list[str]:
    """The `__path__` of a registry, followed by the plug-in folders of its kind."""
    return [*path, *(os.path.join(folder, kind) for folder in folders())]


def folders() -> list[str]:
    """The absolute paths of the plug-in folders, in the order of the variable."""
    return [os.path.abspath(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]


def files() -> dict[str, Path]:
    """All Python files of the plug-in folders, by their paths in these; of two with one path the first holds."""
    return {str(path.relative_to(folder)): path for folder in reversed(folders())
            for path in sorted(Path(folder).rglob("*.py"))}


def check() -> None:
    """Raises: BadInput for a folder of plug-ins that does not exist."""
    for folder in folders():
        if not os.path.isdir(folder):
            raise BadInput(f"${VARIABLE}", f"there is no folder {folder}", "folders of plug-ins, separated by colons")


def load(name: str, *needed: str) -> ModuleType:
    """The module of an entry, which must define the needed names.

    Raises: BadInput for a plug-in that cannot be imported or lacks a name. Errors in our own modules pass: they are
    bugs.
    """
    with blamed(name):
        module = importlib.import_module(name)
        for attribute in needed:
            getattr(module, attribute)
    return module


def check_file(path: Path, needed: str) -> None:
    """Raises: BadInput unless this is a Python file that defines the needed name. It is not run."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a Python file") from None
    except (SyntaxError, ValueError) as error:
        line = f": line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise BadInput(f"{path}{line}", f"{type(error).__name__}: {error}", "a Python file") from None
    names = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
             if isinstance(target, ast.Name)}
    names |= {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    names |= {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom)
              for alias in node.names}
    if needed not in names:
        raise BadInput(str(path), f"it has no {needed}", f"def {needed}(...)")


def load_file(path: str, needed: str) -> Any:
    """The module of a Python file, which must define the needed name. Raises: whatever the file raises.

    The file runs once in a process.
    """
    name = f"swarm_file:{path}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    getattr(sys.modules[name], needed)
    return sys.modules[name]


@contextlib.contextmanager
def blamed(name: str, passes: type[ValueError] = BadInput) -> Iterator[None]:
    """Raises: BadInput with file and line in place of an error in the block, if module `name` is a plug-in.

    passes: an error that a plug-in of this kind may raise; it stays as it is.
    """
    try:
        yield
    except passes:
        raise
    except (Exception, SystemExit) as error:
        file = _file_of(name)
        if not file.startswith(tuple(folder + os.sep for folder in folders())):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        raise BadInput(f"{file}: line {line}" if line else file, f"{type(error).__name__}: {error}",
                       "a plug-in that can be loaded") from None


def _file_of(name: str) -> str:
    """The file of a module, or of the package that should have it."""
    spec = None
    with contextlib.suppress(ImportError):
        spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return _file_of(name.rpartition(".")[0]) if "." in name else ""
    return spec.origin
