"""`swarm models import FILE`: add an ONNX graph to the user's store as a model."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

HELP = "import an ONNX graph"
EXAMPLE = "swarm models import resnet.onnx --axis batch=1"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="an ONNX graph, with its external data beside it")
    p.add_argument("--name", metavar="N", help="name of the model; default: name of the file")
    p.add_argument("--axis", metavar="AXIS=SIZE", action="append", default=[],
                   help="bind a dynamic axis; may be repeated; default: 1 for a leading axis")
    add_input(p)


def add_input(p: argparse.ArgumentParser) -> None:
    p.add_argument("--input", metavar="NAME=FILE.npy", action="append", default=[],
                   help="values of an input for the checks, in place of random ones: one array, or many along one more "
                        "axis; may be repeated")


def run(given: argparse.Namespace) -> int:
    """Import the graph and print its facts."""
    extras.needed("swarm models import", "onnx")
    import msgspec

    from models.build.importing import import_file
    from models.oldest_runtime import too_new
    from swarm.cli.status_line import StatusLine

    path = Path(given.file)
    name = given.name or re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)
    notes: list[str] = []
    with StatusLine() as status:
        card = import_file(path, name, axis_sizes(given.axis), say=status, note=notes.append, inputs=given.input)
    notes += filter(None, [too_new(card.opset, card.ir_version)])
    if given.json:
        print(msgspec.json.encode(msgspec.to_builtins(card) | {"notes": notes}).decode())
        return 0
    ((key, variant),) = card.variants.items()
    print(f"{card.name}: {key}, {card.parameters:,} parameters, {card.macs / 1e6:,.1f} M multiply-accumulates, "
          f"opset {card.opset}, IR {card.ir_version}")
    for word, specs in (("input", card.inputs), ("output", card.outputs)):
        print("\n".join(f"  {word:7}{spec.name} {spec.dtype} {spec.shape}" for spec in specs))
    bound = ", ".join(f"{axis} = {size}" for axis, size in card.dynamic_axes.items())
    print(f"  axes   {bound or 'all static'}")
    print(f"  nodes  {', '.join(f'{count} {operator}' for operator, count in card.operators.items())}")
    print("".join(f"  note   {note}\n" for note in notes), end="")
    print(f"  file   {variant.bytes / 1024:,.0f} KiB, sha256 {variant.sha256}, p50 {variant.run_time.p50_ms:.2f} ms")
    return 0


def axis_sizes(texts: Sequence[str]) -> dict[str, int]:
    """Sizes by name, from arguments NAME=SIZE. Raises: BadInput unless each is a name and a whole number."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, size = text.rpartition("=")
        if not name or not size.isascii() or not size.isdigit() or len(size) > 9:
            raise BadInput(f"--axis {text}", "is not AXIS=SIZE", "like --axis batch=1")
        found[name] = int(size)
    return found
