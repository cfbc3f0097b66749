"""Frames without pictures: each carries a number by which the truth of its view is found again.

A frame, its copy as a tensor and the boundary tensors of a cut model have the sizes of real ones, and begin with the
stamp. So they pass codec, lanes and peers as real ones do, and who mixes up two frames sees the wrong view.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim_worlds.sensors.true_view import TrueView
from sim_worlds.world_interface import World
from swarm.core.protocol.world import Observation
from swarm.core.settings.cards import TensorSpec

STAMP_BYTES = 8
KEPT = 20_000                        # views that were taken or asked for last: a request ends long before so many
                                     # frames are taken, but a frozen camera repeats one


class Views:
    """The views of the frames of one run, by stamp."""

    def __init__(self) -> None:
        self._views = OrderedDict[int, TrueView]()
        self._last = 0

    def add(self, view: TrueView) -> int:
        """Keep a view. Returns its stamp."""
        self._last += 1
        self._views[self._last] = view
        if len(self._views) > KEPT:
            self._views.popitem(last=False)
        return self._last

    def of(self, given: NDArray[Any] | Sequence[NDArray[Any]]) -> TrueView | None:
        """The view of a frame or of the tensors made from it. None: the stamp was corrupted on its way."""
        tensor = given if isinstance(given, np.ndarray) else _stamped(given)
        stamp = stamp_of(tensor)
        if stamp in self._views:
            self._views.move_to_end(stamp)
        return self._views.get(stamp)


def stamped(world: World, views: Views, taken: Callable[[str, int], None] = lambda robot, number: None) -> World:
    """A world whose cameras give stamped frames instead of pictures. world: built without rendering.

    taken: told of each frame: whose, and the number of the observation.
    """
    return cast(World, _Stamped(world, views, taken))


class _Stamped:
    """All else is the world's own."""

    renderer = "none"

    def __init__(self, world: World, views: Views, taken: Callable[[str, int], None]) -> None:
        self._world, self._views, self._taken = world, views, taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def observe(self, robot: str, *, frame: bool) -> Observation:
        """As `World.observe`."""
        seen = self._world.observe(robot, frame=frame)
        camera = self._world.sensors(robot).camera
        if not frame or camera is None:
            return seen
        picture = np.zeros((camera.height_px, camera.width_px, 3), np.uint8)     # a crop of it carries no stamp
        write_stamp(picture, self._views.add(self._world.view(robot)))
        self._taken(robot, seen.sequence)
        return msgspec.structs.replace(seen, frame=picture)


def write_stamp(tensor: NDArray[Any], stamp: int) -> None:
    """Write a stamp into the first bytes of a contiguous tensor."""
    place = tensor.reshape(-1).view(np.uint8)[:STAMP_BYTES]          # a small tensor keeps the beginning of it
    place[:] = np.frombuffer(stamp.to_bytes(STAMP_BYTES, "little"), np.uint8)[:len(place)]


def stamp_of(tensor: NDArray[Any]) -> int:
    """The stamp in a tensor."""
    return int.from_bytes(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)[:STAMP_BYTES].tobytes(), "little")


def boundary(specs: Sequence[TensorSpec], given: NDArray[Any] | Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Tensors of these types and shapes with the stamp of a stage's input."""
    made = [_blank(tuple(spec.shape), spec.dtype) for spec in specs]
    stamped = _stamped(made)
    place = next(k for k, tensor in enumerate(made) if tensor is stamped)
    made[place] = np.empty_like(stamped)                     # nobody reads what is behind the stamp
    write_stamp(made[place], stamp_of(given if isinstance(given, np.ndarray) else _stamped(given)))
    return made


@functools.cache
def _blank(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """A tensor that is only looked at: one for all of its kind."""
    blank = np.zeros(shape, dtype)
    blank.flags.writeable = False
    return blank


def _stamped(tensors: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The tensor that carries the stamp: the largest, of several the first."""
    return max(tensors, key=lambda tensor: tensor.nbytes)
