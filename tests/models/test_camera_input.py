"""Pictures in the form that a card says, and results back in pixels of the frame."""

from __future__ import annotations

import numpy as np
import pytest

from models.camera_input import ImageInput
from swarm.core.protocol.world import Detection, Detections, Mask
from swarm.core.settings.cards import ImageForm

FRAME = np.array([[[0, 10, 20], [100, 110, 120]]], np.uint8)         # 1 x 2 pixels


def image(height: int, width: int, dtype: str = "float32", channels: int = 3, **form: object) -> ImageInput:
    return ImageInput(name="x", height_px=height, width_px=width, dtype=dtype, channels=channels,
                      form=ImageForm(**{"layout": "NHWC", **form}))          # type: ignore[arg-type]


def test_pixels_are_scaled_and_ordered_as_the_card_says() -> None:
    made = image(1, 2, layout="NCHW", scale=0.1, mean=[1.0, 1.0, 2.0], std=[2.0], colour="bgr").preprocess(FRAME)["x"]
    assert made.shape == (1, 3, 1, 2)
    assert made[0, :, 0, 0] == pytest.approx([(2.0 - 1.0) / 2.0, (1.0 - 1.0) / 2.0, (0.0 - 2.0) / 2.0])
    assert made[0, :, 0, 1] == pytest.approx([(12.0 - 1.0) / 2.0, (11.0 - 1.0) / 2.0, (10.0 - 2.0) / 2.0])


def test_one_channel_is_the_luma_and_integers_are_pixels() -> None:
    grey = image(1, 2, "uint8", 1, colour="grey").preprocess(FRAME)["x"]
    assert grey.dtype == np.uint8
    assert grey.reshape(-1).tolist() == [round(0.587 * 10 + 0.114 * 20), round(0.299 * 100 + 0.587 * 110 + 13.68)]


def test_a_picture_is_interpolated_between_the_centres_of_its_pixels() -> None:
    made = image(1, 4).preprocess(FRAME)["x"]
    assert made[0, 0, :, 0] == pytest.approx([0.0, 25.0, 75.0, 100.0])


def test_a_letterboxed_picture_lies_in_grey_and_boxes_come_back_in_pixels_of_the_frame() -> None:
    letterbox = image(4, 4, fit="letterbox")
    made = letterbox.preprocess(FRAME)["x"]
    assert made[0, 0].tolist() == made[0, 3].tolist() == [[114.0] * 3] * 4
    assert made[0, 1, :, 0] == pytest.approx([0.0, 25.0, 75.0, 100.0])
    seen = letterbox.on_frame(Detections([Detection(0, 0.5, 1.0, 1.0, 4.0, 4.0)]), FRAME.shape)
    assert seen == Detections([Detection(0, 0.5, 0.5, 0.0, 2.0, 1.0)])


def test_a_mask_of_any_size_gets_a_cell_for_each_pixel_of_the_frame() -> None:
    frame = np.zeros((2, 4, 3), np.uint8)
    mask = Mask(4, 4, bytes([9] * 4 + [1, 1, 2, 2] + [3, 3, 4, 4] + [9] * 4))
    seen = image(8, 8, fit="letterbox").on_frame(mask, frame.shape)
    assert seen == Mask(2, 4, bytes([1, 1, 2, 2, 3, 3, 4, 4]))


@pytest.mark.parametrize("frame", [FRAME[0], FRAME.astype(np.float32), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a picture must be uint8"):
        image(4, 4).preprocess(frame)
