# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
"""World protocol: observations and commands of a body, and the results of perception.

Frames of reference: the world frame is right-handed, x east, y north, z up, metres, radians.
The body frame has x ahead, y to the left and z up; a heading of 0 looks along the world's x. The level frame is the
body frame without roll and pitch: commands and speeds are in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.bounds import Count, Finite, Joules, Seconds, Share
from swarm.core.protocol.sensors import Readings

ClassIndex = Annotated[int, msgspec.Meta(ge=0, le=65535)]
MOST_BOXES = 4096                    # in one frame
MOST_CLASSES = 16                    # of one classification
MOST_ARRAYS = 16                     # of one outcome
MOST_ARRAY_BYTES = 1 << 20           # of all arrays of one outcome
ARRAY_TYPES = ("bool", "uint8", "int8", "uint16", "int16", "float16", "uint32", "int32", "float32", "uint64", "int64",
               "float64")
Word = Annotated[str, msgspec.Meta(max_length=64)]


class Pose(msgspec.Struct, frozen=True, array_like=True):
    """Position and attitude of a robot's base in the world frame: first it rolls, then it pitches, then it turns.

    The base of a robot that drives is on the floor. Source of the signs: ROS REP 103.
    """

    x_m: Finite
    y_m: Finite
    heading_rad: Finite
    z_m: Finite = 0.0
    roll_rad: Finite = 0.0           # about the body's x: positive lowers the right side
    pitch_rad: Finite = 0.0          # about the body's y: positive lowers the nose


class Capture(msgspec.Struct, frozen=True, array_like=True):
    """When and where a frame was taken."""

    pose: Pose                       # of the robot then, as its localisation gives it
    age_s: Seconds                   # since then


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What the sensors of one robot give at one instant.

    Pose, speeds and scan are of one moment, `age_s` ago: that of the scan, so that it is seen from the pose. The frame
    is of that moment, too, unless `capture` states another one, with the pose then. `bumped` is of the instant itself.

    scan: float32 [beams], metres; the lidar's range for a beam that hits nothing. Empty: no lidar, or it gives nothing.
    frame: uint8 [height, width, 3], RGB, or None between two frames, and while the camera gives nothing.
    """

    sequence: int                    # counts observations of this robot; newest wins
    age_s: float                     # since the scan was taken, as the body states it; without a lidar since the pose
    pose: Pose                       # as odometry and localisation give it
    v_mps: Finite                    # ahead, in the level frame
    w_radps: Finite                  # of the heading
    scan: NDArray[np.float32]
    frame: NDArray[np.uint8] | None = None
    capture: Capture | None = None   # of the frame, where it was not taken with the scan
    bumped: bool = False             # touched something since the last observation
    readings: Readings = {}          # of all other sensors, by name
    left_mps: Finite = 0.0           # only robots that fly move to the left and up
    up_mps: Finite = 0.0

    def captured(self) -> Capture:
        """When and where the frame was taken."""
        return Capture(self.pose, self.age_s) if self.capture is None else self.capture


class Drive(msgspec.Struct, frozen=True, kw_only=True, tag="drive"):
    """The velocity command of a robot that drives. It stops by itself when the command is older than `ttl_s`."""

    v_mps: Finite                    # ahead
    w_radps: Finite
    ttl_s: Seconds = 0.5


class Fly(msgspec.Struct, frozen=True, kw_only=True, tag="fly"):
    """The velocity command of a robot that flies, in its level frame.

    It hovers where it is when the command is older than `ttl_s`.
    """

    vx_mps: Finite                   # ahead
    vy_mps: Finite                   # to the left
    vz_mps: Finite                   # up
    yaw_radps: Finite
    ttl_s: Seconds = 0.5


class BatteryState(msgspec.Struct, frozen=True, kw_only=True):
    """The battery of one robot: its charge now, and the energy since the start by what it was for, in joules."""

    charge: Share                    # of a full one
    compute_j: Joules = 0.0          # of the board
    radio_j: Joules = 0.0            # of messages to and from robots and planners
    motion_j: Joules = 0.0           # of motors, and of sensors and electronics of the body
    charged_j: Joules = 0.0          # from chargers
    empty: bool = False              # it has run out: the robot does nothing any more


Act = Drive | Fly
"""A command. A robot that cannot do a command of this kind ignores it, and the world counts and names it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A robot's statement to the world about its mission. The world judges it and answers with a verdict of one word.

    The scenario defines the kinds of reports and the values of each kind.
    """

    kind: Word
    values: Annotated[dict[Word, Finite | Word], msgspec.Meta(max_length=16)]


class Detection(msgspec.Struct, frozen=True, array_like=True):
    """One box in pixels of the frame it was found in; x right, y down."""

    label: ClassIndex                # class index of the model that made the box
    score: Finite                    # 0..1
    x0_px: Finite
    y0_px: Finite
    x1_px: Finite
    y1_px: Finite


class Detections(msgspec.Struct, frozen=True, tag="detections"):
    """The boxes in one frame, best score first."""

    boxes: Annotated[list[Detection], msgspec.Meta(max_length=MOST_BOXES)]


class Mask(msgspec.Struct, frozen=True, tag="mask"):
    """A class per cell of the frame, row-major, `height * width` bytes, one at least. The model defines the classes."""

    height: Count
    width: Count
    cells: bytes

    def __post_init__(self) -> None:
        if not self.cells or len(self.cells) != self.height * self.width:
            raise ValueError(f"a mask of {len(self.cells)} cells is not {self.height} x {self.width}")

    def array(self) -> NDArray[np.uint8]:
        """The cells as uint8 [height, width]."""
        return np.frombuffer(self.cells, np.uint8).reshape(self.height, self.width)


class ClassScore(msgspec.Struct, frozen=True, array_like=True):
    """How sure a classifier is of one class."""

    label: ClassIndex                # class index of the model
    score: Finite                    # 0..1


class Classes(msgspec.Struct, frozen=True, tag="classes"):
    """The most likely classes, best first; empty: there was nothing to classify."""

    best: Annotated[list[ClassScore], msgspec.Meta(max_length=MOST_CLASSES)]


class NamedArray(msgspec.Struct, frozen=True, array_like=True):
    """A small array with a name. Raises: ValueError if its bytes are not those of its type and shape."""

    name: Word
    dtype: Word                      # one of ARRAY_TYPES
    shape: Annotated[list[Count], msgspec.Meta(max_length=8)]
    data: bytes                      # raw, little-endian

    def __post_init__(self) -> None:
        if self.dtype not in ARRAY_TYPES or len(self.data) != math.prod(self.shape) * np.dtype(self.dtype).itemsize:
            raise ValueError(f"{len(self.data)} bytes are no {self.dtype[:16]} {self.shape}")

    def array(self) -> NDArray[Any]:
        """The values, read-only."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape)


def named_array(name: str, array: NDArray[Any]) -> NamedArray:
    """An array as part of an outcome. Raises: ValueError for elements that do not travel."""
    kind = array.dtype.newbyteorder("<")
    return NamedArray(name, array.dtype.name, list(array.shape), np.asarray(array, kind).tobytes())


class Tensors(msgspec.Struct, frozen=True, tag="tensors"):
    """Small named arrays: the outcome of models of all other tasks. Raises: ValueError for more bytes than travel."""

    arrays: Annotated[list[NamedArray], msgspec.Meta(max_length=MOST_ARRAYS)]

    def __post_init__(self) -> None:
        size = sum(len(one.data) for one in self.arrays)
        if size > MOST_ARRAY_BYTES:
            raise ValueError(f"arrays of {size:,} bytes; at most {MOST_ARRAY_BYTES:,}")

    def named(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {one.name: one.array() for one in self.arrays}


class ArrayNames(msgspec.Struct, frozen=True, tag="arrays"):
    """The part of `Tensors` that is in the header: the names of the arrays that follow as tensors."""

    names: Annotated[list[Word], msgspec.Meta(max_length=MOST_ARRAYS)]


Outcome = Detections | Mask | Classes | Tensors
"""The result of a model's post-processing. Outcomes travel between robots, feature maps do not."""

OutcomeHeader = Detections | Classes | ArrayNames | None
"""The part of an outcome that is in the header of its message; None: a mask."""


def in_parts(outcome: Outcome) -> tuple[OutcomeHeader, list[NDArray[Any]]]:
    """An outcome as it travels: the part for the header, and the arrays that follow as tensors."""
    match outcome:
        case Mask():
            return None, [outcome.array()]
        case Tensors(arrays=arrays):
            return ArrayNames([one.name for one in arrays]), [one.array() for one in arrays]
        case _:
            return outcome, []


def of_parts(header: OutcomeHeader, tensors: Sequence[NDArray[Any]]) -> Outcome | None:
    """The outcome that was sent in these parts; None: they are no outcome."""
    match header, tensors:
        case (Detections() | Classes()), []:
            return header
        case None, [mask] if mask.dtype == np.uint8 and mask.ndim == 2 and mask.size:
            return Mask(mask.shape[0], mask.shape[1], mask.tobytes())
        case ArrayNames(names=names), arrays if len(names) == len(arrays):
            try:
                return Tensors([named_array(name, array) for name, array in zip(names, arrays, strict=True)])
            except ValueError:
                return None
        case _:
            return None


class Perceived(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome handed to behaviours, with the pose and age of the frame it came from."""

    stream: str
    outcome: Outcome                 # boxes and masks are of the robot's frame, whatever size the model takes
    pose: Pose                       # where the robot was when the frame was taken
    age_s: float                     # capture to delivery
    labels: Sequence[str] = ()       # names of the model's classes, by index; empty: its card has none
    box: Detection | None = None     # of the stream's source: what the model has looked at
