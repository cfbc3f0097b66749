"""`results.json`: all that the tables, figures and the page of an experiment show, as one JSON object."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.experiments.design.rows import Results, is_name
from swarm.experiments.store import POINTS

NAME = "results.json"
ID = re.compile(r"[0-9a-f]{32}")


def encoded(results: Results) -> bytes:
    """The file. JSON has no infinity: such a figure is the text `inf` or `-inf`."""
    return json.dumps(_spelled(msgspec.to_builtins(results)), indent=1, ensure_ascii=False,
                      allow_nan=False).encode() + b"\n"


def read(folder: Path) -> Results:
    """The results of an experiment's folder. Raises: BadInput if it has none, or damaged ones."""
    path = Path(folder) / NAME
    try:
        content = json.loads(path.read_bytes())
        results = msgspec.convert(content, Results, strict=False)    # not strict: `inf` is a number
        for row in results.rows:                     # they become paths
            if not ID.fullmatch(row.id) or row.folder not in ("", f"{POINTS}/{row.id}"):
                raise ValueError(f"{row.id!r} in {row.folder!r} is no point")
        if not is_name(results.name):
            raise ValueError(f"{results.name!r} is no name")
        return results
    except FileNotFoundError:
        raise BadInput(str(folder), f"it has no {NAME}",
                       "the folder of an experiment that was run; --resume finishes one") from None
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a readable file") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(str(path), f"it is damaged: {error}", "a whole file: --resume writes it again") from None


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _spelled(one) for key, one in value.items()}
    return [_spelled(one) for one in value] if isinstance(value, (list, tuple)) else value
