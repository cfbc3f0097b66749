"""Model cards: what is known of a model, written as `NAME/card.json` in a store; its files lie there by their hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""What a variant computes in; boards differ in how fast they are at each. Float16 graphs compute in fp32 on a CPU."""

Provider = Literal["tensorrt", "cuda", "cpu"]
"""What runs a model; in a list, the order of preference."""

ITEM_BYTES = {
    "bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2, "uint32": 4, "int32": 4, "float32": 4,
    "uint64": 8, "int64": 8, "float64": 8,
}
"""Size of one element, by numpy's name of its type."""

BATCH_AXIS = "at_once"
"""Name of the first axis of a graph's inputs and outputs that may have any size: so many inputs run at once."""

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


class RunTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measured distribution of one run, milliseconds, one intra-op thread on the host that made the card."""

    quantiles_ms: list[float]        # 21 values at 0, 5, ..., 100 %
    runs: int

    @property
    def p50_ms(self) -> float:
        return self.quantiles_ms[10]

    @property
    def p95_ms(self) -> float:
        return self.quantiles_ms[19]


class SizeError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a detector errs on true boxes whose height lies within [from_px, to_px)."""

    from_px: float
    to_px: float
    recall: float
    precision: float
    centre_std_px: float
    size_std_px: float
    truths: int                      # how many boxes the figures stand on


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contiguous piece of a variant's graph, a file of its own; tensors bear their names in the whole graph."""

    sha256: str
    bytes: int
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    macs: int                        # multiply-accumulates of one run
    memory_bytes: int                # resident growth of one loaded session
    run_time: RunTime


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decided that a variant may stand for its parent."""

    metric: str
    value: float
    floor: float                     # the parent's value less what may be lost

    @property
    def passed(self) -> bool:
        return self.value >= self.floor


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One form of the network: its file by its hash, what it scores and how long it takes."""

    precision: Precision
    sha256: str
    bytes: int
    memory_bytes: int                # resident growth of one loaded session
    metrics: dict[str, float]
    run_time: RunTime
    error_model: list[SizeError] = []
    stages: list[Stage] = []         # in order; empty: it is run whole only
    parent: str = ""                 # the variant it was made from
    gate: Gate | None = None         # None: an original
    way: str = ""                    # how it was made from its parent
    providers: list[Provider] = []   # what may run it; empty: any
    batch: int = 1                   # inputs that it takes at once at most, along the first axis
    batch_times: dict[int, RunTime] = {}     # of so many inputs at once, as far as it was measured


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, its variants and how they were made."""

    name: str
    task: str                        # which of models/tasks/ pre- and post-processes; empty: tensors as they are
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    parameters: int
    opset: int
    ir_version: int
    primary_metric: str              # key into every variant's metrics
    variants: dict[str, Variant]
    made_by: str                     # the command that makes it again
    made_with: dict[str, str]        # seeds, frames, versions, minutes
    macs: int = 0                    # multiply-accumulates of one run of the original; 0: not counted
    operators: dict[str, int] = {}   # how often each occurs in the original
    dynamic_axes: dict[str, int] = {}    # axes that were symbolic, and the sizes they are bound to


def crossing(card: Card, variant: str, k: int) -> list[TensorSpec]:
    """What is alive between stage k-1 and stage k, 0 < k < number of stages, in order of appearance.

    These are tensors that a later stage takes, from the graph's inputs or from earlier stages, and outputs of the graph
    that are made already. At 0 they are the inputs, at the number of stages the outputs.
    """
    stages = card.variants[variant].stages
    if not 0 <= k <= len(stages):
        raise ValueError(f"{card.name} {variant} has {len(stages)} stages, no boundary {k}")
    needed = {spec.name for stage in stages[k:] for spec in stage.inputs} | {spec.name for spec in card.outputs}
    there = [*card.inputs, *(spec for stage in stages[:k] for spec in stage.outputs)]
    return [spec for spec in _unique(there) if spec.name in needed]


def _unique(specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return list({spec.name: spec for spec in specs}.values())
