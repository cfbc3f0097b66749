"""Training of both networks: fixed seeds, a fixed number of steps, a cosine learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.build.train.frame_sets import Frames
from models.build.train.networks import GRID, NETWORKS, STRIDE_PX, cell_middles
from sim_worlds.classes import SEGMENT_CLASSES, TARGET_CLASSES
from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds

SEED = 7
WARM_UP = 0.05                       # share of the steps over which the learning rate rises

Loss = Callable[[nn.Module, Tensor, tuple[Tensor, ...]], Tensor]
"""Of a network on images [n, 72, 96, 3] with their truth."""


class Schedule(NamedTuple):
    """Length and speed of a training."""

    batch: int
    passes: float                    # over the frames
    rate: float                      # highest learning rate


SCHEDULE = {"detector": Schedule(32, 9, 3e-3), "segmenter": Schedule(16, 7, 2e-3)}


def train(name: str, frames: Frames, limit_s: float) -> tuple[nn.Module, str]:
    """The trained network `name`, and its number of steps as text; see `learn`."""
    truth_of, loss = LOSSES[name]
    return learn(name, NETWORKS[name], frames, truth_of(frames), loss, SCHEDULE[name], limit_s)


def learn(
    name: str, build: Callable[[], nn.Module], frames: Frames, truth: tuple[Tensor, ...], loss: Loss,
    schedule: Schedule, limit_s: float,
) -> tuple[nn.Module, str]:
    """A new network after its training on `truth`, a row per frame, and its number of steps as text.

    Training stops at `limit_s`; the learning rate then falls to zero at that time.
    """
    torch.manual_seed(SEED)
    batch, passes, rate = schedule
    network = build().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.02)
    steps, order = int(len(frames) * passes / batch), Order(len(frames))
    images, losses = torch.from_numpy(frames.images), []
    clock = MonotonicClock()
    start_ns = clock.now_ns()
    network.train()
    for step in range(steps):
        took_s = seconds(clock.now_ns() - start_ns)
        done = max(step / steps, took_s / limit_s)
        if done >= 1.0:
            break
        optimizer.param_groups[0]["lr"] = rate * learning_rate(done)
        chosen = order.take(batch)
        image, goal = augment(images[chosen], tuple(part[chosen] for part in truth))
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            error = loss(network, image, goal)
        optimizer.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        losses.append(error.item())
        if step % 50 == 49:
            print(f"{name} step {step + 1}/{steps}  loss {np.mean(losses[-50:]):.4f}  {took_s:.0f} s", flush=True)
    return network.eval(), f"{len(losses)} of {steps}"


def learning_rate(done: float) -> float:
    """Learning rate as a share of its maximum, after the share `done` (0..1) of the training."""
    return min(1.0, done / WARM_UP + 0.02) * 0.5 * (1.0 + math.cos(math.pi * done))


class Order:
    """Indices of the frames, each once per pass, in a seeded order."""

    def __init__(self, count: int) -> None:
        self._count, self._left = count, torch.empty(0, dtype=torch.long)

    def take(self, batch: int) -> Tensor:
        if len(self._left) < batch:
            self._left = torch.cat([self._left, torch.randperm(self._count)])
        chosen, self._left = self._left[:batch], self._left[batch:]
        return chosen


def augment(image: Tensor, goal: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The batch with half its frames mirrored, and random light: gain 0.75 to 1.25, colour 0.94 to 1.06."""
    mirrored = torch.rand(len(image)) < 0.5
    image = image.clone()
    image[mirrored] = image[mirrored].flip(2)
    goal = tuple(part.clone() for part in goal)
    for part in goal:
        part[mirrored] = part[mirrored].flip(-1)
        if part.ndim == 4 and part.shape[1] == len(BOX_PLANES):
            part[mirrored] = part[mirrored][:, MIRRORED_PLANES]
    gain = torch.empty(len(image), 1, 1, 1).uniform_(0.75, 1.25)
    tint = torch.empty(len(image), 1, 1, 3).uniform_(0.94, 1.06)
    return (image * gain * tint).clamp(0.0, 255.0), goal


BOX_PLANES = ("left", "top", "right", "bottom", "weight")
MIRRORED_PLANES = [2, 1, 0, 3, 4]


def detector_truth(frames: Frames) -> tuple[Tensor, Tensor]:
    """Heat map [n, 3, 18, 24] (negative: no loss there) and BOX_PLANES [n, 5, 18, 24]."""
    heat = np.zeros((len(frames), len(TARGET_CLASSES), *GRID), np.float32)
    planes = np.zeros((len(frames), len(BOX_PLANES), *GRID), np.float32)
    middles = cell_middles()[0].numpy()
    for i in range(len(frames)):
        truth = frames.truth(i)
        for label, *corners, counts in sorted(truth.tolist(), key=lambda box: -(box[3] - box[1]) * (box[4] - box[2])):
            paint(heat[i, int(label)], planes[i], np.array(corners), middles, bool(counts))
    return torch.from_numpy(heat), torch.from_numpy(planes)


def paint(heat: NDArray, planes: NDArray, corners: NDArray, middles: NDArray, counts: bool) -> None:
    """Add one box to its frame's truth: a Gaussian at its centre, and its sides near the centre (TTFNet, AAAI 2020)."""
    low, high = corners[:2, None, None], corners[2:, None, None]
    centre, spread = (low + high) / 2, np.maximum((high - low) * 0.13, 0.45 * STRIDE_PX)
    if not counts:
        inside = ((middles > low - STRIDE_PX) & (middles < high + STRIDE_PX)).all(0)
        heat[inside & (heat == 0.0)] = -1.0
        return
    bump = np.exp(-0.5 * (((middles - centre) / spread) ** 2).sum(0)).astype(np.float32)
    column, row = (np.clip(centre[:, 0, 0] // STRIDE_PX, 0, [GRID[1] - 1, GRID[0] - 1])).astype(int)
    bump[row, column] = 1.0
    bump[bump < 0.05] = 0.0
    near = bump >= 0.3                   # small boxes are painted last and overwrite larger ones
    planes[:, near] = np.concatenate([middles - low, high - middles, bump[None]])[:, near]
    heat[bump > 0.0] = np.maximum(heat, bump)[bump > 0.0]


def detector_loss(network: nn.Module, image: Tensor, goal: tuple[Tensor, ...]) -> Tensor:
    """Penalty-reduced focal loss of the heat map (Law and Deng, CornerNet, ECCV 2018) plus GIoU of the boxes."""
    logits, reach = network.raw(image)
    return detector_error(logits.float(), reach.float(), goal)


def detector_error(logits: Tensor, reach: Tensor, goal: tuple[Tensor, ...]) -> Tensor:
    """The loss of these outputs of a detector."""
    heat, planes = goal
    score = torch.sigmoid(logits)
    hit = (1 - score) ** 2 * F.logsigmoid(logits) * (heat == 1.0)
    miss = (1 - heat.clamp(min=0.0)) ** 4 * score**2 * F.logsigmoid(-logits) * ((heat >= 0.0) & (heat < 1.0))
    focal = -(hit + miss).sum() / (heat == 1.0).sum().clamp(min=1)
    return focal + 2.0 * overlap_error(reach, planes)


def overlap_error(reach: Tensor, planes: Tensor) -> Tensor:
    """Mean of 1 - GIoU of these sides and those of BOX_PLANES, weighted by their last plane."""
    weight = planes[:, 4]
    return (weight * (1.0 - giou(reach, planes[:, :4]))).sum() / weight.sum().clamp(min=1e-3)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU [n, h, w] of boxes around the same point (Rezatofighi et al., CVPR 2019); sides [n, 4, h, w]."""
    inner, outer = torch.minimum(a, b), torch.maximum(a, b)
    shared, hull = area(inner), area(outer)
    union = area(a) + area(b) - shared
    return shared / union.clamp(min=1e-3) - (hull - union) / hull.clamp(min=1e-3)


def area(sides: Tensor) -> Tensor:
    """Area of boxes, given the distances from an inner point to left, top, right, bottom; 0 for inverted boxes."""
    return (sides[:, 0] + sides[:, 2]).clamp(min=0) * (sides[:, 1] + sides[:, 3]).clamp(min=0)


def segmenter_truth(frames: Frames) -> tuple[Tensor]:
    """Classes of the pixels [n, 72, 96]."""
    return (torch.from_numpy(frames.masks).long(),)


def segmenter_loss(network: nn.Module, image: Tensor, goal: tuple[Tensor, ...]) -> Tensor:
    """Cross-entropy, weighted by `class_weights`."""
    (classes,) = goal
    return F.cross_entropy(network.raw(image).float(), classes, weight=class_weights(classes))


def class_weights(classes: Tensor) -> Tensor:
    """The inverse square root of the frequency of each class in the batch; their mean is 1."""
    share = torch.bincount(classes.flatten(), minlength=len(SEGMENT_CLASSES)) / classes.numel()
    weight = (share.clamp(min=0.005)) ** -0.5
    return weight / weight.mean()


LOSSES = {"detector": (detector_truth, detector_loss), "segmenter": (segmenter_truth, segmenter_loss)}
