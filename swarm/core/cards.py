"""Model cards: what is known of a model, written beside its artefacts as `card.json`."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""What a variant computes in; boards differ in how fast they are at each."""


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name, element type (numpy's name) and shape of one tensor."""

    name: str
    dtype: str
    shape: list[int]

    @property
    def bytes(self) -> int:
        """Size on the wire, raw and little-endian."""
        size = {"uint8": 1, "int8": 1, "float16": 2, "float32": 4, "int32": 4, "int64": 8}[self.dtype]
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


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One form of the network: its file, the file's hash, what it scores and how long it takes."""

    precision: Precision
    file: str
    sha256: str
    bytes: int
    memory_bytes: int                # resident growth of one loaded session
    metrics: dict[str, float]
    run_time: RunTime
    error_model: list[SizeError] = []


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model, its variants and how they were made."""

    name: str
    task: str                        # which of models/tasks/ pre- and post-processes
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    parameters: int
    opset: int
    ir_version: int
    primary_metric: str              # key into every variant's metrics
    variants: dict[str, Variant]
    made_by: str                     # the command that makes it again
    made_with: dict[str, str]        # seeds, frames, versions, minutes
