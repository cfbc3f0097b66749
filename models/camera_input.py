"""The input that all camera models share: a picture of any size, in the form that the card says."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from swarm.core.protocol.world import Detection, Detections, Mask, Outcome
from swarm.core.settings.cards import Card, ImageForm, TensorSpec

GREY = 114.0                         # around a picture that is letterboxed, as the YOLO networks are trained with
LUMA = np.array([0.299, 0.587, 0.114], np.float32)       # of red, green and blue (ITU-R BT.601)


class Placed(NamedTuple):
    """Where a picture lies within the input, pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """The picture of a camera model, and its constants."""

    name: str
    height_px: int
    width_px: int
    form: ImageForm | None = None    # None: the frame as it is
    dtype: str = "uint8"
    channels: int = 3
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])

    @classmethod
    def of(cls, card: Card) -> ImageInput:
        """The input that a card describes. Raises: ModelError if it is no picture."""
        constants = constants_of(card)
        match [(spec.name, spec.dtype, spec.shape) for spec in card.inputs if spec.name not in constants]:
            case [(name, "uint8", [1, height, width, 3])] if card.image is None:
                return cls(name=name, height_px=height, width_px=width, constants=constants)
            case found if card.image is None:
                raise ModelError(f"model {card.name!r}: inputs", f"found {found}", "one input, uint8 [1, h, w, 3]")
            case [(name, dtype, shape)] if (size := picture_size(shape, card.image.layout)) is not None:
                return cls(name=name, height_px=size[0], width_px=size[1], channels=size[2], form=card.image,
                           dtype=dtype, constants=constants)
            case found:
                raise ModelError(f"model {card.name!r}: inputs", f"found {found}",
                                 f"one picture, {card.image.layout} of 1 or 3 channels")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a frame that is taken as it is: height, width, 3."""
        return self.height_px, self.width_px, 3

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The inputs by name. Raises: ValueError for what is no picture, or not one of the size that is wanted."""
        if self.form is None:
            if frame.shape != self.shape or frame.dtype != np.uint8:
                raise ValueError(f"a frame must be uint8 {list(self.shape)}, found {frame.dtype} {list(frame.shape)}")
            return {self.name: np.ascontiguousarray(frame)[None], **self.constants}
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(f"a picture must be uint8 [height, width, 3], found {frame.dtype} {list(frame.shape)}")
        pixels = self._coloured(self._resized(frame), self.form)
        if np.dtype(self.dtype).kind == "f":
            pixels = (pixels * np.float32(self.form.scale) - _by_channel(self.form.mean, 0.0)) / _by_channel(
                self.form.std, 1.0)
        else:
            pixels = np.rint(pixels)
        made = pixels.transpose(2, 0, 1) if self.form.layout == "NCHW" else pixels
        return {self.name: np.ascontiguousarray(made[None], self.dtype), **self.constants}

    def on_frame(self, outcome: Outcome, shape: Sequence[int]) -> Outcome:
        """An outcome in pixels of the input as one in pixels of the picture, of this shape, that it was made of."""
        if self.form is None or len(shape) != 3:
            return outcome
        height, width, _ = shape
        at = placed(height, width, self.height_px, self.width_px, self.form.fit)
        if isinstance(outcome, Detections):
            across, down = width / at.width, height / at.height
            return Detections([Detection(
                box.label, box.score, _within((box.x0_px - at.left) * across, width),
                _within((box.y0_px - at.top) * down, height), _within((box.x1_px - at.left) * across, width),
                _within((box.y1_px - at.top) * down, height)) for box in outcome.boxes])
        if isinstance(outcome, Mask):
            rows = _cells(height, at.height, at.top, outcome.height / self.height_px)
            columns = _cells(width, at.width, at.left, outcome.width / self.width_px)
            return Mask(height, width, outcome.array()[np.ix_(rows, columns)].tobytes())
        return outcome

    def _resized(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The picture at the input's size, by bilinear interpolation."""
        assert self.form is not None
        wanted = self.height_px, self.width_px
        if frame.shape[:2] == wanted:
            return frame.astype(np.float32)
        at = placed(frame.shape[0], frame.shape[1], self.height_px, self.width_px, self.form.fit)
        picture = frame.astype(np.float32)
        for axis, (source, target) in enumerate(((frame.shape[0], at.height), (frame.shape[1], at.width))):
            low, high, share = _between(source, target)
            share = share.reshape(-1, 1, 1) if axis == 0 else share.reshape(1, -1, 1)
            lower = picture.take(low, axis)
            picture = np.asarray(lower + (picture.take(high, axis) - lower) * share, np.float32)
        if (at.height, at.width) == wanted:
            return picture
        framed = np.full((*wanted, 3), GREY, np.float32)
        framed[at.top:at.top + at.height, at.left:at.left + at.width] = picture
        return framed

    def _coloured(self, picture: NDArray[np.float32], form: ImageForm) -> NDArray[np.float32]:
        """[height, width, channels]."""
        if self.channels == 1:
            return (picture * LUMA).sum(2, keepdims=True, dtype=np.float32)
        return picture[..., ::-1] if form.colour == "bgr" else picture


def picture_size(shape: list[int], layout: str) -> tuple[int, int, int] | None:
    """Height, width and channels of an input of this shape; None: it is no picture."""
    match shape, layout:
        case [1, (1 | 3) as channels, height, width], "NCHW":
            return height, width, channels
        case [1, height, width, (1 | 3) as channels], "NHWC":
            return height, width, channels
        case _:
            return None


def placed(height: int, width: int, into_height: int, into_width: int, fit: str) -> Placed:
    """Where a picture of this size lies within an input."""
    if fit == "stretch":
        return Placed(0, 0, into_height, into_width)
    scale = min(into_height / height, into_width / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    return Placed((into_height - inner[0]) // 2, (into_width - inner[1]) // 2, *inner)


def constants_of(card: Card) -> dict[str, NDArray[Any]]:
    """The constant inputs by name. Raises: ModelError for one that does not fit the model."""
    specs: dict[str, TensorSpec] = {spec.name: spec for spec in card.inputs}
    made: dict[str, NDArray[Any]] = {}
    for name, constant in card.constants.items():
        spec = specs.get(name)
        if spec is None or (spec.dtype, spec.shape) != (constant.dtype, constant.shape):
            raise ModelError(f"model {card.name!r}: constants", f"{name!r} is {constant.dtype} {constant.shape}",
                             f"{spec.dtype} {spec.shape}" if spec else f"inputs: {', '.join(specs)}")
        try:
            made[name] = np.frombuffer(constant.data, constant.dtype).reshape(constant.shape)
        except ValueError as error:
            raise ModelError(f"model {card.name!r}: constants", f"{name!r}: {error}", "raw values") from None
    return made


@functools.lru_cache(64)
def _between(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each of `target` pixels: the two of `source` pixels around its centre, and the share of the second one."""
    centre = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0.0, source - 1.0)
    low = centre.astype(np.intp)
    return low, np.minimum(low + 1, source - 1), (centre - low).astype(np.float32)


def _cells(size: int, inner: int, first: int, per_px: float) -> NDArray[np.intp]:
    """For each of `size` pixels of a picture: the cell of the mask that shows it."""
    return ((first + (np.arange(size) + 0.5) * (inner / size)) * per_px).astype(np.intp)


def _by_channel(values: list[float], otherwise: float) -> NDArray[np.float32]:
    return np.array(values or [otherwise], np.float32)


def _within(value: float, most: float) -> float:
    return min(max(value, 0.0), float(most))
