"""Gives an imported model its task: what its card says of labels, sensor, input and outputs, tried on one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import heads, tasks
from models.camera_input import picture_size
from models.sensor_input import is_row
from models.store import ModelError
from models.tasks import classify, segment
from swarm import plugins
from swarm.core.settings.cards import Card, Constant, ImageForm, Sensor, TensorSpec
from swarm.core.settings.errors import BadInput

LABELLED = ("classify", "detect", "segment")
LABEL_MAX, MOST_LABELS = 64, 65_536
MOST_CONSTANT_BYTES = 1 << 20        # of all constants of a model
LEAST_PX = 8                         # of the side of a picture: a smaller one is an axis that was not told
BYTE = 1.0 / 255.0
TRIED_HEIGHT, TRIED_WIDTH, TRIED_BEAMS = 72, 96, 64      # of the picture and the scan on which a task is tried

Run = Callable[[Mapping[str, NDArray[Any]]], Sequence[NDArray[Any]]]
"""Runs the graph on its inputs; the outputs are in the card's order."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What the user says of a model's task; empty or None: found out."""

    task: str
    labels: str = ""                 # path of a file with a label per line
    sensor: Sensor | None = None
    layout: str = ""
    scale: float | None = None
    mean: list[float] = []
    std: list[float] = []
    colour: str = "rgb"
    fit: str = ""
    reading: str = ""
    threshold: float = 0.4


def described(card: Card, told: Described, given: Mapping[str, Sequence[NDArray[Any]]], run: Run) -> Card:
    """The card with its task, as the user tells it and as far as it can be found out.

    given: values of inputs, which are constants where no sensor gives them. Raises: BadInput if labels, inputs or
    outputs do not fit, or if the task makes no outcome of one run.
    """
    where = f"model {card.name!r}"
    name = _task_name(told.task)
    labels = read_labels(Path(told.labels)) if told.labels else []
    if name in LABELLED and not labels:
        raise BadInput("--labels", f"task {name} needs the names of its classes", "--labels FILE, with one per line")
    constants = _constants(card, told.sensor, given)
    sensed = [spec for spec in card.inputs if spec.name not in constants]
    sensor = told.sensor or _sensor(where, sensed)
    file_sha256 = tasks.sha256_of(Path(name)) if name.endswith(tasks.FILE) else ""
    made = msgspec.structs.replace(
        card, task=name, task_sha256=file_sha256, labels=labels, sensor=sensor, constants=constants,
        threshold=told.threshold,
        image=_form(where, sensed, told, name, list(card.dynamic_axes)) if sensor == "camera" else None)
    try:
        made = msgspec.structs.replace(made, reading=_reading(made, told.reading))
    except ModelError as error:
        raise BadInput(f"{where}: {error.where}", error.what, error.want) from None
    task = tasks.task(made)
    try:
        outputs = run(task.preprocess(_tried(sensor)))
        if name == "classify" and not told.reading:
            shares = classify.are_shares(outputs[0])
            made = msgspec.structs.replace(made, reading=classify.SHARES if shares else classify.LOGITS)
            task = tasks.task(made)
        task.postprocess(outputs)
    except tasks.TaskError as error:
        raise BadInput(where, str(error), f"inputs and outputs that task {name} can read") from None
    return made


def read_labels(path: Path) -> list[str]:
    """The labels of a file, one per line. Raises: BadInput."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise BadInput(str(path), why or str(error), "a text file with one label per line") from None
    while lines and not lines[-1]:
        lines.pop()
    if not 1 <= len(lines) <= MOST_LABELS:
        raise BadInput(str(path), f"has {len(lines)} labels", f"1 to {MOST_LABELS:,}, one per line")
    first: dict[str, int] = {}
    for number, label in enumerate(lines, 1):
        if not label or len(label) > LABEL_MAX or "," in label or not label.isprintable():
            raise BadInput(f"{path}: line {number}", f"{label[:LABEL_MAX]!r} is no label",
                           f"1 to {LABEL_MAX} printable characters, no comma")
        if first.setdefault(label, number) != number:
            raise BadInput(f"{path}: line {number}", f"{label!r} is that of line {first[label]}, too",
                           "a label of its own for each class")
    return lines


def _task_name(task: str) -> str:
    """A task of the registry, or the absolute path of a user's file. Raises: BadInput."""
    if task.endswith(tasks.FILE):
        path = Path(task).absolute()
        plugins.check_file(path, "make")
        return str(path)
    if task not in tasks.available():
        raise BadInput(f"--task {task}", "is no task", f"{', '.join(tasks.available())}, or a file like mine.py")
    return task


def _constants(
    card: Card, sensor: Sensor | None, given: Mapping[str, Sequence[NDArray[Any]]]
) -> dict[str, Constant]:
    """The given inputs that no sensor gives: all, but for a model whose sensor gives one and that has no other."""
    names = [spec.name for spec in card.inputs if spec.name in given]
    if sensor in ("camera", "scan") and len(names) == len(card.inputs):
        names = names[1:]                # the values of the first are for the checks
    constants: dict[str, Constant] = {}
    for spec in card.inputs:
        if spec.name not in names:
            continue
        if len(given[spec.name]) > 1:
            raise BadInput(f"--input {spec.name}", f"has {len(given[spec.name])} values, and no sensor gives it",
                           "the one value that it has in every run")
        value = np.asarray(given[spec.name][0])
        constants[spec.name] = Constant(dtype=spec.dtype, shape=spec.shape,
                                        data=value.astype(value.dtype.newbyteorder("<")).tobytes())
    if (size := sum(len(constant.data) for constant in constants.values())) > MOST_CONSTANT_BYTES:
        raise BadInput("--input", f"{size:,} bytes of constants", f"at most {MOST_CONSTANT_BYTES:,}")
    return constants


def _sensor(where: str, sensed: Sequence[TensorSpec]) -> Sensor:
    """The sensor that gives these inputs. Raises: BadInput if none does."""
    match sensed:
        case []:
            return "timer"
        case [spec] if _layouts(spec):
            return "camera"
        case [spec] if spec.dtype.startswith("float") and is_row(spec.shape):
            return "scan"
        case [spec]:
            raise BadInput(where, f"no sensor gives input {spec.name!r}, {spec.dtype} {spec.shape}",
                           f"--input {spec.name}=FILE.npy, if it is the same in every run")
        case _:
            names = ", ".join(f"{spec.name!r} {spec.dtype} {spec.shape}" for spec in sensed)
            raise BadInput(where, f"no sensor gives all of its inputs: {names}",
                           " ".join(f"--input {spec.name}=FILE.npy" for spec in sensed[1:])
                           + " for those that are the same in every run")


def _layouts(spec: TensorSpec) -> list[str]:
    """The layouts that an input may have; those that make a picture of it, if there are such."""
    sizes = {layout: size for layout in ("NCHW", "NHWC") if (size := picture_size(spec.shape, layout)) is not None}
    return [layout for layout, size in sizes.items() if min(size[:2]) >= LEAST_PX] or list(sizes)[:1]


def _form(
    where: str, sensed: Sequence[TensorSpec], told: Described, task: str, axes: Sequence[str]
) -> ImageForm:
    """The form of a camera's input. axes: that the file leaves open. Raises: BadInput."""
    layouts = _layouts(sensed[0]) if len(sensed) == 1 else []
    layout = told.layout or (layouts[0] if len(layouts) == 1 else "")
    size = picture_size(sensed[0].shape, layout) if len(sensed) == 1 and layout else None
    if len(sensed) != 1 or size is None:
        found = ", ".join(f"{spec.name} {spec.dtype} {spec.shape}" for spec in sensed) or "constants only"
        want = "--layout NCHW or NHWC" if len(layouts) > 1 else "one picture, [1, 3, h, w] or [1, h, w, 3]"
        raise BadInput(where, f"a camera does not give its inputs: {found}", want)
    height, width, channels = size
    if min(height, width) < LEAST_PX:
        raise BadInput(where, f"a picture of {width} x {height} px",
                       " ".join(f"--axis {axis}=N" for axis in axes) or f"at least {LEAST_PX} x {LEAST_PX}")
    for key, values in (("--mean", told.mean), ("--std", told.std)):
        if len(values) not in (0, 1, channels):
            raise BadInput(key, f"{len(values)} values", f"1 or {channels}, one per channel")
    if 0.0 in told.std:
        raise BadInput("--std", "0 divides nothing", "numbers other than 0")
    floats = sensed[0].dtype.startswith("float")
    if sensed[0].dtype in ("int8", "bool"):
        raise BadInput(where, f"input {sensed[0].name!r} is {sensed[0].dtype}, which does not hold pixels",
                       "a float, uint8, or a wider integer")
    if not floats and (told.scale is not None or told.mean or told.std):
        raise BadInput("--scale, --mean, --std", f"input {sensed[0].name!r} is {sensed[0].dtype} and takes pixels as "
                       "they are", "none of these")
    scale = told.scale if told.scale is not None else BYTE if floats else 1.0
    return msgspec.convert({
        "layout": layout, "scale": scale, "mean": told.mean, "std": told.std,
        "colour": "grey" if channels == 1 else told.colour,
        "fit": told.fit or ("letterbox" if task == "detect" else "stretch")}, ImageForm)


def _reading(card: Card, name: str) -> str:
    """How the card's task reads its outputs. Raises: ModelError if it cannot."""
    labels = len(card.labels)
    match card.task:
        case "detect" if name in ("", "heat_map") and _is_heat_map(card.outputs, labels):
            return "heat_map"
        case "detect":
            return heads.reading_of(card.outputs, labels, name)
        case "segment":
            return segment.reading_of(card.outputs, labels, name)
        case "classify":
            classify.check(card.outputs, labels)
            return name or classify.LOGITS
        case _ if name:
            raise ModelError(f"--reading {name}", f"task {card.task} reads outputs in one way", "no --reading")
        case _:
            return ""


def _is_heat_map(outputs: Sequence[TensorSpec], labels: int) -> bool:
    match [spec.shape for spec in outputs]:
        case [[1, classes, rows, columns], [1, 4, *cells]]:
            return cells == [rows, columns] and classes == labels
        case _:
            return False


def _tried(sensor: Sensor) -> NDArray[Any]:
    """What a sensor could give."""
    if sensor == "camera":
        pixels = np.arange(TRIED_HEIGHT * TRIED_WIDTH * 3) % 251
        return pixels.astype(np.uint8).reshape(TRIED_HEIGHT, TRIED_WIDTH, 3)
    return np.linspace(0.5, 6.0, TRIED_BEAMS, dtype=np.float32) if sensor == "scan" else np.empty(0, np.uint8)
