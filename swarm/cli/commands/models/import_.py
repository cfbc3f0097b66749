"""`swarm models import FILE`: add an ONNX graph to the user's store as a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from models.build.describing import Described
    from swarm.core.settings.cards import Card

SENSORS = ("camera", "scan", "timer")

HELP = "import an ONNX graph"
EXAMPLE = "swarm models import yolo.onnx --task detect --labels names.txt"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="an ONNX graph, with its external data beside it")
    p.add_argument("--name", metavar="N", help="name of the model; default: name of the file")
    p.add_argument("--axis", metavar="AXIS=SIZE", action="append", default=[],
                   help="bind a dynamic axis; may be repeated; default: 1 for a leading axis and for batch, N and ?")
    add_input(p)
    of_task = p.add_argument_group("the task, without which no stream can have the model")
    of_task.add_argument("--task", metavar="T",
                         help="detect, segment, classify, tensors (all else), or a file like mine.py")
    of_task.add_argument("--labels", metavar="FILE", help="names of the classes, one per line")
    of_task.add_argument("--sensor", choices=SENSORS, help="what gives the input; default: by its shape")
    of_task.add_argument("--reading", metavar="R", help="how the outputs are to be read; default: by their shapes")
    of_task.add_argument("--threshold", type=float, metavar="S", default=0.4,
                         help="lowest score of a box; default: 0.4")
    of_task.add_argument("--layout", choices=("NCHW", "NHWC"), help="of a picture; default: by its shape")
    of_task.add_argument("--colour", choices=("rgb", "bgr"), default="rgb",
                         help="order of the channels; default: rgb")
    of_task.add_argument("--fit", choices=("stretch", "letterbox"),
                         help="how a frame is brought to the input's size; default: letterbox to detect, else stretch")
    of_task.add_argument("--scale", type=float, metavar="X", help="factor of pixels of 0..255; default: 1/255")
    of_task.add_argument("--mean", metavar="R,G,B", default="", help="taken from scaled pixels; default: 0")
    of_task.add_argument("--std", metavar="R,G,B", default="", help="divides what is left; default: 1")


def add_input(p: argparse.ArgumentParser) -> None:
    p.add_argument("--input", metavar="NAME=FILE.npy", action="append", default=[],
                   help="values of an input for the checks, in place of random ones: one array, or many along one more "
                        "axis; may be repeated")


def run(given: argparse.Namespace) -> int:
    """Import the graph and print its facts."""
    extras.needed("swarm models import", "onnx")
    import msgspec

    from models.build.importing import import_file, name_of
    from models.oldest_runtime import too_new
    from swarm.cli.status_line import StatusLine

    path = Path(given.file)
    name, told = given.name or name_of(path.stem), _told(given)
    notes: list[str] = []
    with StatusLine() as status:
        card = import_file(path, name, axis_sizes(given.axis), say=status, note=notes.append, inputs=given.input,
                           told=told)
    notes += filter(None, [too_new(card.opset, card.ir_version)])
    if given.json:
        print(msgspec.json.encode(msgspec.to_builtins(card) | {"notes": notes}).decode())
        return 0
    print(f"{card.name}: {', '.join(card.variants)}, {card.parameters:,} parameters, "
          f"{card.macs / 1e6:,.1f} M multiply-accumulates, opset {card.opset}, IR {card.ir_version}")
    for word, specs in (("input", card.inputs), ("output", card.outputs)):
        print("\n".join(f"  {word:7}{spec.name} {spec.dtype} {spec.shape}" for spec in specs))
    bound = ", ".join(f"{axis} = {size}" for axis, size in card.dynamic_axes.items())
    print(f"  axes   {bound or 'all static'}")
    print(f"  nodes  {', '.join(f'{count} {operator}' for operator, count in card.operators.items())}")
    print(f"  task   {of_task(card)}")
    print("".join(f"  note   {note}\n" for note in notes), end="")
    for key, variant in card.variants.items():
        print(f"  file   {key}, {variant.bytes / 1024:,.0f} KiB, sha256 {variant.sha256}, "
              f"p50 {variant.run_time.p50_ms:.2f} ms")
    return 0


def _told(given: argparse.Namespace) -> Described | None:
    """What the user says of the model's task. Raises: BadInput."""
    from models.build.describing import Described

    if given.task is None:
        for key in ("labels", "sensor", "reading", "layout", "fit", "scale", "mean", "std"):
            if getattr(given, key):
                raise BadInput(f"--{key}", "it belongs to a task", "--task detect|segment|classify|tensors")
        return None
    if not 0.0 <= given.threshold <= 1.0:
        raise BadInput(f"--threshold {given.threshold:g}", "is no share", "0 to 1")
    return Described(
        task=given.task, labels=given.labels or "", sensor=given.sensor, layout=given.layout or "", scale=given.scale,
        mean=_numbers("--mean", given.mean), std=_numbers("--std", given.std), colour=given.colour,
        fit=given.fit or "", reading=given.reading or "", threshold=given.threshold)


def _numbers(key: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")] if text else []
    except ValueError:
        raise BadInput(f"{key} {text}", "is no list of numbers", "like 0.5 or 0.485,0.456,0.406") from None


def of_task(card: Card) -> str:
    """What a card says of its task."""
    if not card.task:
        return "none: no stream can have it before it is imported with --task"
    words = [card.task, f"of a {card.sensor}"]
    if card.reading:
        words.append(f"read as {card.reading}")
    if card.image is not None:
        words.append(f"{card.image.layout}, {card.image.fit}, {card.image.colour}, times {card.image.scale:.4g}")
    if card.constants:
        words.append(f"constant {', '.join(card.constants)}")
    if card.labels:
        words.append(f"{len(card.labels)} labels: {', '.join(card.labels[:8])}{' ...' if len(card.labels) > 8 else ''}")
    return ", ".join(words)


def axis_sizes(texts: Sequence[str]) -> dict[str, int]:
    """Sizes by name, from arguments NAME=SIZE. Raises: BadInput unless each is a name and a whole number."""
    found: dict[str, int] = {}
    for text in texts:
        name, _, size = text.rpartition("=")
        if not name or not size.isascii() or not size.isdigit() or len(size) > 9:
            raise BadInput(f"--axis {text}", "is not AXIS=SIZE", "like --axis batch=1")
        found[name] = int(size)
    return found
