"""Give the shipped models their variants for TensorRT; needs neither training nor torch.

    python -m models.build.tensorrt.shipped [NAME ...] [--variant KEY ...] [--out DIR]

For each variant in float32: its own files with ends that TensorRT takes (the same results bit for bit), then fp16 whole
and int8_trt in stages. Other variants stay as they are; those that TensorRT does not take are for the CPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec
import onnx

from models import store
from models.build.quantize.calibration_inputs import WORLD
from models.build.quantize.quantizer_setup import setup_for
from models.build.tensorrt.rewriting import rewritten
from models.build.tensorrt.variants import INT8, make_tensorrt_variants, parents
from models.build.tensorrt.verifying import verify_form
from models.build.train.frame_sets import DATA
from models.store import ARTEFACTS
from swarm.core.settings.cards import Card


def ship(name: str, out: Path, only: Sequence[str] = ()) -> Card:
    """Add the variants to a card of the store `out`; writes files and card. only: what they are made from."""
    card = for_cpu(with_ends(store.load_card(name, out), out), out)
    wanted = [key for key in parents(card) if not only or key in only]
    if not wanted:
        return card
    made, keys = make_tensorrt_variants(
        card, lambda card, model: setup_for(card, model, WORLD, DATA, print), folder=out,
        only=wanted, cut=(INT8,), say=print, on_trial=print)
    print(f"{name}: {', '.join(keys) or 'no variant passed its gate'}", flush=True)
    store.save_card(made, out)
    return made


def with_ends(card: Card, out: Path) -> Card:
    """The card with files of its float32 variants, whole and stages, whose ends TensorRT takes."""
    entries = dict(card.variants)
    for key in parents(card):
        sha256, size_bytes = _rewritten(store.artefact(card, key, out), out)
        stages = []
        for k, stage in enumerate(entries[key].stages):
            stage_sha256, stage_bytes = _rewritten(store.stage(card, key, k, out), out)
            stages.append(msgspec.structs.replace(stage, sha256=stage_sha256, bytes=stage_bytes))
        entries[key] = msgspec.structs.replace(entries[key], sha256=sha256, bytes=size_bytes, stages=stages)
    return msgspec.structs.replace(card, variants=entries)


def for_cpu(card: Card, out: Path) -> Card:
    """The card with the CPU as the provider of int8 variants that TensorRT does not take."""
    others = {key: msgspec.structs.replace(variant, providers=["cpu"]) for key, variant in card.variants.items()
              if variant.precision == "int8" and not variant.providers and verify_form(card, key, out).offences}
    return msgspec.structs.replace(card, variants=card.variants | others)


def _rewritten(path: Path, out: Path) -> tuple[str, int]:
    content = path.read_bytes()
    model = onnx.load_model_from_string(content)
    made = rewritten(model)
    same = [node.SerializeToString() for node in made.graph.node] == [
        node.SerializeToString() for node in model.graph.node]
    return store.put(content if same else made.SerializeToString(deterministic=True), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("--variant", metavar="KEY", action="append", default=[],
                        help="a variant in float32 that they are made from; may be repeated; default: all")
    parser.add_argument("--out", type=Path, default=ARTEFACTS)
    args = parser.parse_args()
    for name in args.names or store.names(args.out):
        ship(name, args.out, args.variant)
    store.sweep(args.out)


if __name__ == "__main__":
    main()
