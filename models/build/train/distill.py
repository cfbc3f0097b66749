"""Distillation: a student learns from the truth and from the soft outputs of its teacher, a float graph of a store.

The teacher's outputs are computed once, on the frames as they are; where a batch is mirrored, they are mirrored too
(Hinton, Vinyals and Dean, 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn
from torch.nn import functional as F

from models.build.measure.runner import Runner, exposed
from models.build.train.frame_sets import Frames
from models.build.train.networks import cell_middles
from models.build.train.train import class_weights, detector_error, detector_truth, overlap_error, segmenter_truth

LEAST_SCORE = 0.05
"""A cell where the teacher has no higher score teaches no box."""

SHARES = 255
"""Scale of the teacher's shares of the classes, which are kept in 8 bits."""

AT_ONCE, THREADS = 8, 2
"""Frames in a run of the teacher; runs at the same time."""


def detector_lesson(teacher: ModelProto, frames: Frames) -> tuple[Tensor, ...]:
    """The truth, then the teacher's scores [n, 3, 18, 24], and its sides with its highest score [n, 5, 18, 24]."""
    heat, boxes = (np.concatenate(each) for each in zip(*_runs("Sigmoid", teacher, frames), strict=True))
    middle = cell_middles()[0].numpy()
    score = 1.0 / (1.0 + np.exp(-heat))
    best = score.max(1, keepdims=True)
    sides = np.concatenate([middle - boxes[:, :2], boxes[:, 2:] - middle, best * (best > LEAST_SCORE)], 1)
    return *detector_truth(frames), torch.from_numpy(score), torch.from_numpy(sides.astype(np.float32))


def detector_loss(network: nn.Module, image: Tensor, goal: tuple[Tensor, ...]) -> Tensor:
    """The loss on the truth, plus the divergence from the teacher's scores and the GIoU with its boxes."""
    heat, planes, score, sides = goal
    logits, reach = (value.float() for value in network.raw(image))
    score = score.clamp(1e-6, 1.0 - 1e-6)
    unlike = (F.binary_cross_entropy_with_logits(logits, score, reduction="sum")
              - F.binary_cross_entropy(score, score, reduction="sum"))
    taught = unlike / (heat == 1.0).sum().clamp(min=1) + overlap_error(reach, sides)
    return detector_error(logits, reach, (heat, planes)) + taught


def segmenter_lesson(teacher: ModelProto, frames: Frames) -> tuple[Tensor, ...]:
    """The truth, then the teacher's share of each class, of `SHARES`, uint8 [n, 5, 72, 96]."""
    shares = [(F.softmax(torch.from_numpy(logits), 1) * SHARES).round().to(torch.uint8)
              for logits, _ in _runs("ArgMax", teacher, frames)]
    return *segmenter_truth(frames), torch.cat(shares)


def segmenter_loss(network: nn.Module, image: Tensor, goal: tuple[Tensor, ...]) -> Tensor:
    """Cross-entropy with the truth, plus cross-entropy with the teacher's shares; the true class weights both."""
    classes, shares = goal
    logits, weight = network.raw(image).float(), class_weights(classes)
    of_pixel = weight[classes]
    taught = of_pixel * F.cross_entropy(logits, shares.float() / SHARES, reduction="none")
    return F.cross_entropy(logits, classes, weight=weight) + taught.sum() / of_pixel.sum()


def _runs(operator: str, teacher: ModelProto, frames: Frames) -> Iterator[tuple[NDArray, NDArray]]:
    """What goes into the teacher's only node of this operator, and the teacher's last output, a few frames at once."""
    (node,) = (node for node in teacher.graph.node if node.op_type == operator)
    wanted = [node.input[0], teacher.graph.output[-1].name]
    runner, (image,) = Runner(exposed(teacher, wanted)), teacher.graph.input

    def run(first: int) -> tuple[NDArray, NDArray]:
        made = runner.run_named({image.name: frames.images[first:first + AT_ONCE]}, wanted)
        return made[wanted[0]], made[wanted[1]]

    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(run, range(0, len(frames), AT_ONCE))


LESSONS: dict[str, tuple[Callable[[ModelProto, Frames], tuple[Tensor, ...]], Callable]] = {
    "detector": (detector_lesson, detector_loss), "segmenter": (segmenter_lesson, segmenter_loss),
}
"""Of each model: what a student is taught, a row per frame, and the loss."""
