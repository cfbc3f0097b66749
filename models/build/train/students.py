"""The students of each model: smaller networks with its inputs and outputs, from the more accurate to the faster.

The smaller one learns from the larger one (Mirzadeh et al., Improved Knowledge Distillation via Teacher Assistant, AAAI
2020).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from models.build.train.networks import Detector, HalfSegmenter, Segmenter
from models.build.train.train import Schedule


class Student(NamedTuple):
    """A smaller network and its training."""

    teacher: str                     # the variant that it learns from
    build: Callable[[], nn.Module]
    schedule: Schedule
    minutes: float                   # upper limit, far above what a quiet host takes


STUDENTS: dict[str, dict[str, Student]] = {
    "detector": {
        "student": Student(
            "fp32", partial(Detector, width=48, stem=16, far=56), Schedule(32, 10, 3e-3), 60.0),
        "small": Student(
            "student_fp32", partial(Detector, width=20, stem=16, far=32, blocks=1), Schedule(32, 10, 4e-3), 60.0),
    },
    "segmenter": {
        "student": Student(
            "fp32", partial(Segmenter, widths=(24, 48, 64, 64)), Schedule(16, 5, 3e-3), 60.0),
        "small": Student(
            "student_fp32", partial(HalfSegmenter, widths=(32, 48, 64)), Schedule(16, 4, 3e-3), 60.0),
    },
}
