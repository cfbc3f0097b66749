"""Verifies that TensorRT takes a variant, as far as this can be told without it: its form, and its results on a CPU."""

from __future__ import annotations

from pathlib import Path

import msgspec
import onnx

from models import store
from models.build.measure.batch_axis import single
from models.build.quantize.gates import Judge
from models.build.quantize.int8_variants import load
from models.build.tensorrt.form import Offence, offences
from models.providers import allowed
from swarm.core.settings.cards import Card

PROVIDER = "tensorrt"


class FormReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the files of one variant."""

    files: int                       # the whole, and its stages
    operators: int                   # nodes of the whole
    offences: list[Offence]          # each node once, whether in the whole or in a stage
    metric: str = ""                 # empty: results were not compared
    value: float = 0.0
    floor: float = 0.0

    @property
    def failures(self) -> list[str]:
        """A line for each offence, and for results that are below the gate."""
        lines = [str(one) for one in self.offences]
        if self.metric and not self.value >= self.floor:
            lines.append(f"its {self.metric} of {self.value:.4f} on a CPU is below the gate at {self.floor:.4f}")
        return lines


def meant(card: Card) -> list[str]:
    """The variants that TensorRT may run."""
    return [key for key, variant in card.variants.items() if allowed([PROVIDER], variant.providers)]


def verify_form(card: Card, key: str, folder: Path | None = None, judge: Judge | None = None) -> FormReport:
    """Check a variant's files, the whole and each stage, since each becomes an engine of its own.

    judge: by which the results of a variant must be as good as its gate wants; None: they are not compared.
    Raises: BadInput for an invalid graph.
    """
    whole = load(card, folder, key)
    stages = [single(onnx.load(store.stage(card, key, k, folder))) for k in range(len(card.variants[key].stages))]
    found = dict.fromkeys(offence for model in (whole, *stages) for offence in offences(model))
    report = FormReport(files=1 + len(stages), operators=len(whole.graph.node), offences=list(found))
    if judge is None:
        return report
    return msgspec.structs.replace(report, metric=judge.metric, value=judge.score(whole), floor=judge.floor)
