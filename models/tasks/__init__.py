"""Tasks that models solve: one module per task, and the folder is the registry.

A task's module defines `make(card) -> Task`. A task turns what a sensor gives into the network's inputs, and its
outputs into an outcome. The field `task` of a card is the module's name, or the path of a file of the user. Whatever a
task raises, and whatever nonsense it returns, becomes a `TaskError`.
"""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from numpy.typing import NDArray

from models.camera_input import ImageInput
from models.store import ModelError
from swarm import plugins
from swarm.core.protocol.world import Outcome
from swarm.core.settings.cards import Card

__path__ = plugins.extended(__path__, "tasks")

FILE = ".py"                         # how the path of a user's task ends
OWN = Path(__file__).parent


class TaskError(ValueError):
    """A task could not make inputs of what it was given, or no outcome of outputs."""


class Task(Protocol):
    """Pre- and post-processing of a model. Post-processing runs on the agent of the last stage: outcomes are small.

    Boxes and masks are in pixels of the network's input; the robot that took the frame turns them into its pixels.
    """

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """The network's inputs for a frame, uint8 [height, width, 3], RGB, a scan, float32 [beams], metres, or nothing.

        Raises: ValueError for another shape.
        """
        ...

    def postprocess(self, outputs: Sequence[NDArray]) -> Outcome:
        """The outcome of the network's outputs, given in the card's order. Raises: ValueError for other shapes."""
        ...


class Checked:
    """A task whose every error is a `TaskError`, and whose results are of the right types.

    file: a user's; without one it is one of ours, which make valid outcomes and always end: it is `trusted`.
    """

    def __init__(self, task: Task, card: Card, file: Path | None = None) -> None:
        self._task, self.trusted, self.file, self._name = task, file is None, file, card.task
        self._image = ImageInput.of(card) if card.sensor == "camera" and card.image is not None else None
        self._inputs = {spec.name: (spec.dtype, tuple(spec.shape)) for spec in card.inputs}

    def preprocess(self, frame: NDArray[Any]) -> dict[str, NDArray]:
        """As `Task.preprocess`. Raises: TaskError."""
        try:
            made = self._task.preprocess(frame)
            found = {name: (tensor.dtype.name, tensor.shape) for name, tensor in made.items()}
        except (Exception, SystemExit) as error:
            raise self._error(error) from error
        if found != self._inputs:
            raise TaskError(f"task {self._name} made {found}, and the model takes {self._inputs}")
        return made

    def postprocess(self, outputs: Sequence[NDArray]) -> Outcome:
        """As `Task.postprocess`. Raises: TaskError."""
        try:
            made = self._task.postprocess(outputs)
            if not isinstance(made, Outcome):
                raise TypeError(f"returned {type(made).__name__}, which is no outcome")
            if not self.trusted:        # its values are as bounded as in a message
                msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Outcome)
        except (Exception, SystemExit) as error:
            raise self._error(error) from error
        return made

    def on_frame(self, outcome: Outcome, shape: Sequence[int]) -> Outcome:
        """Boxes and masks in pixels of the network's input as those in pixels of a frame of this shape."""
        return self._image.on_frame(outcome, shape) if self._image is not None else outcome

    def _error(self, error: BaseException) -> TaskError:
        return TaskError(str(error) if self.trusted and isinstance(error, ValueError)
                         else f"task {self._name}: {type(error).__name__}: {error}")


def available() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def task(card: Card) -> Checked:
    """The task of a card's model. Raises: ModelError if the task is unknown or does not fit the card."""
    if not card.task:
        raise ModelError(f"model {card.name!r}", "has no task, so no stream can have it",
                         f"swarm models import FILE --name {card.name} --task {'|'.join(available())}")
    if card.task.endswith(FILE):
        return Checked(_by_path(card), card, Path(card.task))
    if card.task not in available():
        raise ModelError(f"task {card.task!r}", "is not known", f"available: {', '.join(available())}")
    module = plugins.load(f"{__name__}.{card.task}", "make")
    file = Path(str(module.__file__))
    return Checked(module.make(card), card, None if OWN in file.parents else file)


def sha256_of(file: Path) -> str:
    """The hash of a user's file, as cards have it. Raises: OSError."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _by_path(card: Card) -> Task:
    """The task in a file of the user. Raises: ModelError."""
    plugins.check_file(Path(card.task), "make")
    if card.task_sha256 and sha256_of(Path(card.task)) != card.task_sha256:
        raise ModelError(card.task, f"is not the file with which model {card.name} was imported",
                         "the same file, or `swarm models import` of the model once more with --task")
    try:
        return plugins.load_file(card.task, "make").make(card)
    except (ModelError, KeyboardInterrupt):
        raise
    except BaseException as error:   # noqa: BLE001 - the file is the user's, whatever it raises
        raise ModelError(card.task, f"{type(error).__name__}: {error}", "a file with make(card)") from None
