"""Model cards: the data about a model, in `NAME/card.json` in a store. The store names the model's files by hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

Precision = Literal["fp32", "fp16", "int8"]
"""The arithmetic of a variant. Float16 graphs compute in fp32 on a CPU."""

PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
"""Each board has a speed for each of these; that of fp16 is the one of fp32 where a board has none of its own."""

Provider = Literal["tensorrt", "cuda", "cpu"]
"""An execution provider of ONNX Runtime. Lists of them are in order of preference."""

Sensor = Literal["camera", "scan", "timer"]
SENSORS: tuple[Sensor, ...] = get_args(Sensor)
"""What gives a model its input. A timer gives nothing: all inputs are constants of the card."""

ITEM_BYTES = {
    "bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2, "uint32": 4, "int32": 4, "float32": 4,
    "uint64": 8, "int64": 8, "float64": 8,
}
"""Bytes of one element, by numpy's name of its type."""

BATCH_AXIS = "at_once"
"""Name of the batch axis: the first axis of a graph's inputs and outputs, if its size is free."""

AGREEMENT = "agreement"
"""Metric of models without labels: likeness of a variant's outputs to the original's, 0..1; the original has 1."""


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name, element type (numpy's name) and shape of one tensor."""

    name: str
    dtype: str
    shape: list[int]

    @property
    def bytes(self) -> int:
        """Size on the wire, raw and little-endian."""
        size = ITEM_BYTES[self.dtype]
        for n in self.shape:
            size *= n
        return size


class ImageForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a picture becomes an input: it is brought to the input's size, then each channel of each pixel, 0..255,
    becomes `(value * scale - mean) / std`; an integer input takes the pixels as they are.

    fit: `stretch` changes the proportions; `letterbox` keeps them and fills the rest with grey.
    """

    layout: Literal["NCHW", "NHWC"]
    scale: float = 1.0
    mean: list[float] = []           # by channel; one for all; empty: 0
    std: list[float] = []            # likewise; empty: 1
    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    fit: Literal["stretch", "letterbox"] = "stretch"


class Constant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of an input that is the same in every run: raw, little-endian."""

    dtype: str
    shape: list[int]
    data: bytes


class RunTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measured run times, in milliseconds, with one intra-op thread on the host that made the card."""

    quantiles_ms: list[float]        # 21 values at 0, 5, ..., 100 %
    runs: int                        # that were measured

    @property
    def p50_ms(self) -> float:
        return self.quantiles_ms[10]

    @property
    def p95_ms(self) -> float:
        return self.quantiles_ms[19]


class SizeError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Errors of a detector on true boxes whose height lies within [from_px, to_px)."""

    from_px: float
    to_px: float
    recall: float
    precision: float
    centre_std_px: float
    size_std_px: float
    truths: int                      # number of true boxes in the sample


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contiguous piece of a variant's graph, in a file of its own. Tensors keep their names of the whole graph."""

    sha256: str
    bytes: int
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    macs: int                        # multiply-accumulates of one run
    memory_bytes: int                # growth of resident memory by one loaded session
    run_time: RunTime


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accuracy check by which a variant may replace its parent."""

    metric: str
    value: float
    floor: float                     # the parent's value less the permitted loss

    @property
    def passed(self) -> bool:
        return self.value >= self.floor


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One form of the network: the hash of its file, its metrics and its run times."""

    precision: Precision
    sha256: str
    bytes: int
    memory_bytes: int                # growth of resident memory by one loaded session
    metrics: dict[str, float]
    run_time: RunTime
    error_model: list[SizeError] = []
    stages: list[Stage] = []         # in order; empty: it runs whole only
    parent: str = ""                 # the variant it was made from
    gate: Gate | None = None         # None: an original
    way: str = ""                    # the method that made it from its parent
    teacher: str = ""                # the variant whose outputs it learned from; empty: it is no student's original
    providers: list[Provider] = []   # providers that may run it; empty: all
    batch: int = 1                   # largest batch, along the first axis
    batch_times: dict[int, RunTime] = {}     # run times by batch size, for the sizes that were measured


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, its variants and how they were made."""

    name: str
    task: str                        # a file of models/tasks/, or the path of a user's; empty: it cannot be a stream's
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    parameters: int
    opset: int
    ir_version: int
    primary_metric: str              # key into every variant's metrics
    variants: dict[str, Variant]
    made_by: str                     # the command that reproduces it
    made_with: dict[str, str]        # seeds, frames, versions, minutes
    macs: int = 0                    # multiply-accumulates of one run of the original; 0: not counted
    operators: dict[str, int] = {}   # count of each operator in the original
    dynamic_axes: dict[str, int] = {}    # axes that were symbolic, and the sizes that they were set to
    labels: list[str] = []           # names of the classes, by index
    sensor: Sensor = "camera"        # what gives the one input that is no constant
    image: ImageForm | None = None   # of a camera's input; None: the frame as it is, of exactly the input's size
    task_sha256: str = ""            # of a user's file as it was tried at import; empty: not known, or one of ours
    reading: str = ""                # how the task reads the outputs; empty: in the only way that it has
    threshold: float = 0.4           # lowest score of a box that is reported
    constants: dict[str, Constant] = {}      # the other inputs


def network(card: Card, variant: str) -> str:
    """The variant that holds the network of this one as it was trained: the first of its parents."""
    seen = {variant}
    while (parent := card.variants[variant].parent) in card.variants and parent not in seen:
        seen.add(variant := parent)
    return variant


def crossing(card: Card, variant: str, k: int) -> list[TensorSpec]:
    """The tensors that cross the boundary between stages k-1 and k, in order of appearance.

    These are the inputs of later stages that come from the graph's inputs or from earlier stages, and outputs of the
    graph that earlier stages have made. k = 0: the graph's inputs; k = number of stages: its outputs.
    Raises: ValueError if there is no boundary k.
    """
    stages = card.variants[variant].stages
    if not 0 <= k <= len(stages):
        raise ValueError(f"{card.name} {variant} has {len(stages)} stages, no boundary {k}")
    needed = {spec.name for stage in stages[k:] for spec in stage.inputs} | {spec.name for spec in card.outputs}
    available = [*card.inputs, *(spec for stage in stages[:k] for spec in stage.outputs)]
    return [spec for spec in _unique(available) if spec.name in needed]


def _unique(specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return list({spec.name: spec for spec in specs}.values())
