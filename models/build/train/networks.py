"""The networks: an anchor-free detector and a segmenter, both of plain 3x3 convolutions.

Plain convolutions with ReLU lose little accuracy in int8 and are fast on every board's CPU. Both take the raw camera
frame, uint8 [1, 72, 96, 3]; transposing and scaling it is part of the graph.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sim_worlds.classes import SEGMENT_CLASSES, TARGET_CLASSES
from sim_worlds.sensors.suite import CAMERA

STRIDE_PX = 4
"""Pixels per cell of the detector's grid."""

GRID = (CAMERA.height_px // STRIDE_PX, CAMERA.width_px // STRIDE_PX)
"""Rows and columns of the detector's grid."""

REACH_MAX = 3.6
"""Limit of the logarithm of a side's distance, in strides: 4 px * e^3.6 = 146 px, more than the frame's diagonal."""


def conv(inp: int, out: int, *, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation (folded away on export), ReLU."""
    return nn.Sequential(
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def to_planes(image: Tensor) -> Tensor:
    """uint8 [n, h, w, 3] to float [n, 3, h, w], about -2..2."""
    return image.permute(0, 3, 1, 2).float() * (1.0 / 64.0) - 2.0


def twice(x: Tensor) -> Tensor:
    """Twice the height and width, by repetition."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Detector(nn.Module):
    """Targets as peaks of a heat map, each with its box (Zhou et al., Objects as Points, 2019; sides as in FCOS)."""

    def __init__(self, width: int = 72, stem: int = 24, far: int = 80, blocks: int = 2) -> None:
        """Channels of the cells, of the first convolution and at half the cells' resolution; residual blocks there."""
        super().__init__()
        self.stem = nn.Sequential(conv(3, stem, stride=2), conv(stem, width, stride=2))
        self.near = Residual(width)
        self.far = nn.Sequential(conv(width, far, stride=2), *(Residual(far) for _ in range(blocks)))
        self.join = conv(far, width, kernel=1)
        self.neck = Residual(width)
        self.heat = nn.Conv2d(width, len(TARGET_CLASSES), 1)
        self.reach = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.heat.bias, -4.0)     # nearly all cells are empty: start with low scores
        nn.init.constant_(self.reach.bias, 0.5)

    def raw(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, 3, 18, 24] and distances from the cell's middle to left, top, right, bottom [n, 4, 18, 24], px."""
        near = self.near(self.stem(to_planes(image)))
        x = self.neck(near + twice(self.join(self.far(near))))
        return self.heat(x), STRIDE_PX * torch.exp(self.reach(x).clamp(max=REACH_MAX))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [n, 3, 18, 24], zero off the peaks, and boxes x0, y0, x1, y1 [n, 4, 18, 24] in pixels."""
        heat, reach = self.raw(image)
        scores = torch.sigmoid(heat)
        peaks = scores * (F.max_pool2d(scores, 3, 1, 1) == scores).float()
        middle, sign = cell_middles(), torch.tensor([-1.0, -1.0, 1.0, 1.0]).view(1, 4, 1, 1)
        return peaks, middle.repeat(1, 2, 1, 1) + sign * reach


def cell_middles() -> Tensor:
    """x and y of every cell's middle, [1, 2, 18, 24], px."""
    y, x = torch.meshgrid(torch.arange(GRID[0]), torch.arange(GRID[1]), indexing="ij")
    return (torch.stack([x, y]).float()[None] + 0.5) * STRIDE_PX


class Segmenter(nn.Module):
    """A U-Net (Ronneberger et al., MICCAI 2015) with residual blocks and additive skips; the heavy model of the two."""

    def __init__(self, widths: tuple[int, ...] = (80, 112, 128, 96)) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = nn.Sequential(conv(3, widths[0]), Residual(widths[0]))
        self.down = nn.ModuleList(nn.Sequential(conv(a, b, stride=2), Residual(b)) for a, b in steps)
        self.rise = nn.ModuleList(conv(b, a, kernel=1) for a, b in steps)
        self.mend = nn.ModuleList(Residual(a) for a, _ in steps)
        self.head = nn.Conv2d(widths[0], len(SEGMENT_CLASSES), 1)

    def raw(self, image: Tensor) -> Tensor:
        """Logits [n, 5, 72, 96]."""
        levels = [self.stem(to_planes(image))]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for rise, mend in zip(reversed(self.rise), reversed(self.mend), strict=True):
            x = mend(levels.pop() + twice(rise(x)))
        return self.head(x)

    def forward(self, image: Tensor) -> Tensor:
        """Class of each pixel, uint8 [n, 72, 96]."""
        return self.raw(image).argmax(1).to(torch.uint8)


class HalfSegmenter(Segmenter):
    """The same at half the frame's resolution; its last convolution has the classes of 2 x 2 pixels."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__(widths)
        self.stem = nn.Sequential(conv(3, widths[0], stride=2), Residual(widths[0]))
        self.head = nn.Conv2d(widths[0], 4 * len(SEGMENT_CLASSES), 1)

    def raw(self, image: Tensor) -> Tensor:
        return F.pixel_shuffle(super().raw(image), 2)


NETWORKS: dict[str, type[nn.Module]] = {"detector": Detector, "segmenter": Segmenter}


def parameters(network: nn.Module) -> int:
    """The number of trained parameters."""
    return sum(p.numel() for p in network.parameters())
