"""Make the shipped models from scratch: render, train, export, quantize, test, cut, profile, write the cards.

`python -m models.build.tensorrt.shipped` makes their variants for TensorRT alone.

    python -m models.build.train.recipe detector|segmenter|all [--frames N] [--minutes M] [--out DIR]
    python -m models.build.train.recipe ... --students NAME ...    train students of the teachers that are there
    python -m models.build.train.recipe batch [--out DIR]          let the files take several inputs at once
    python -m models.build.train.recipe profile [--out DIR]        measure run times again
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version
from pathlib import Path

import msgspec
import onnx
import torch
from torch import nn

from models import store
from models.build.cut.cut_variants import WHOLE, partition
from models.build.measure.batch_axis import batched, timed
from models.build.measure.load_cost import memory_bytes
from models.build.measure.profiler import host_processor, run_times
from models.build.quantize.calibration_inputs import camera_inputs
from models.build.quantize.int8_variants import make_int8_variants
from models.build.quantize.quantizer_setup import labelled
from models.build.tensorrt import shipped as tensorrt
from models.build.tensorrt.variants import with_times
from models.build.train import frame_sets
from models.build.train.export import IR_VERSION, OPSET, export
from models.build.train.family import train_students
from models.build.train.networks import NETWORKS, parameters
from models.build.train.students import STUDENTS
from models.build.train.train import SCHEDULE, SEED, train
from models.profiles import runnable
from models.session import Session
from models.store import ARTEFACTS
from sim_worlds.classes import SEGMENT_CLASSES, TARGET_CLASSES
from swarm.core.clock import MonotonicClock
from swarm.core.settings.cards import Card, Provider, Variant
from swarm.core.units import seconds

TASK = {"detector": "detect", "segmenter": "segment"}
LABELS = {"detector": TARGET_CLASSES, "segmenter": SEGMENT_CLASSES}
PRIMARY = {"detector": "ap50", "segmenter": "miou"}
SHIPPED = ("fp32", "int8")
ON_CPU: tuple[Provider, ...] = ("cpu",)
STAGES = 8
MINUTES = {"detector": 60.0, "segmenter": 60.0}
TRAIN_FRAMES = {"detector": 12_000, "segmenter": 8_000}
REAL = 8
"""Rendered frames for the check that a batch has the same results as single runs."""


def make(name: str, frames: int, minutes: float, out: Path) -> Card:
    """Train model `name`, and write it to the store `out`."""
    data = frame_sets.load(TASK[name], "train", frames)
    clock = MonotonicClock()
    start_ns = clock.now_ns()
    network, steps = train(name, data, minutes * 60)
    took_min = seconds(clock.now_ns() - start_ns) / 60
    torch.save(network.state_dict(), frame_sets.DATA / f"{name}.pt")
    return ship(name, network, out, {
        "train": frame_sets.told(TASK[name], "train", frames), "train_steps": steps, "train_minutes": f"{took_min:.1f}",
    })


def ship(name: str, network: nn.Module, out: Path, made_with: dict[str, str]) -> Card:
    """Export, quantize, test, cut and profile a trained network; write its files and its card to the store `out`."""
    file = frame_sets.DATA / f"{name}.onnx"
    export(name, network, file)
    work = frame_sets.DATA / "store"         # a store for all trials; only shipped files are copied
    sha256, size_bytes = store.put(file.read_bytes(), work)
    calibration, choose, test = (frame_sets.load(TASK[name], kind, *used) for kind, used in frame_sets.USED.items())
    session = Session(file)
    card = Card(
        name=name, task=TASK[name], inputs=session.inputs, outputs=session.outputs, parameters=parameters(network),
        opset=OPSET, ir_version=IR_VERSION, primary_metric=PRIMARY[name],
        variants={"fp32": Variant(
            precision="fp32", sha256=sha256, bytes=size_bytes, memory_bytes=memory_bytes(file), metrics={},
            run_time=run_times({name: file})[name],
        )},
        labels=list(LABELS[name]), made_by=f"python -m models.build.train.recipe {name}",
        made_with=made_with | {
            "seed": str(SEED), "schedule": "batch {}, passes {}, rate {}".format(*SCHEDULE[name]),
            **{kind: frame_sets.told(TASK[name], kind, *used) for kind, used in frame_sets.USED.items()},
            **{tool: version(tool) for tool in ("torch", "onnx", "onnxruntime")},
            "host": host_processor(),
        },
    )
    model = onnx.load(file)
    setup = labelled(card, model, camera_inputs(calibration.images, card), choose, test)
    metrics, errors = setup.measure(model)
    fp32 = msgspec.structs.replace(card.variants["fp32"], metrics=metrics, error_model=errors)
    card = msgspec.structs.replace(card, variants={"fp32": fp32})
    quantized = make_int8_variants(card, setup, folder=work, on_trial=print)
    if "int8" not in quantized.made:
        raise ValueError(f"{name}: no int8 variant keeps {PRIMARY[name]} above {setup.judge.floor:.4f}")
    shipped = {key: quantized.card.variants[key] for key in SHIPPED}
    for key in shipped:
        store.put(store.artefact(quantized.card, key, work).read_bytes(), out)
    card = partition(msgspec.structs.replace(quantized.card, variants=shipped), STAGES, SHIPPED, out, print)
    card = batched(card, SHIPPED, out, camera_inputs(calibration.images[:REAL], card))
    store.save_card(card, out)
    _timed([card], out)
    card = tensorrt.ship(name, out)
    store.sweep(out)
    return card


def students(name: str, frames: int, out: Path, keys: list[str]) -> None:
    """Train these students of the model `name` of the store `out`, and make their variants for TensorRT."""
    train_students(name, frames, out, keys)
    tensorrt.ship(name, out, [f"{key}_fp32" for key in keys])
    store.sweep(out)


def batch(out: Path) -> None:
    """Make the shipped files take several inputs at once, which changes their hashes, and measure batch times."""
    for name in store.names(out):
        card = store.load_card(name, out)
        frames = frame_sets.render("search_rescue", frame_sets.SEEDS["calibrate"][0], REAL).images
        keys = runnable(card, ON_CPU)
        card = timed(batched(card, keys, out, camera_inputs(frames, card)), keys, out)
        store.save_card(card, out)
        for key, variant in ((key, card.variants[key]) for key in keys):
            each = [f"{n} in {time.p50_ms:.2f} ms" for n, time in {1: variant.run_time, **variant.batch_times}.items()]
            print(f"{name} {key}: takes {variant.batch} at once; {', '.join(each)}", flush=True)
    store.sweep(out)


def profile(out: Path) -> None:
    """Measure the run times of all cards again; nothing else on the cards changes."""
    _timed([store.load_card(name, out) for name in store.names(out)], out)


def _timed(cards: list[Card], out: Path) -> list[Card]:
    """Write the cards with the run times of this host, of the variants that its CPU runs."""
    keys = {card.name: runnable(card, ON_CPU) for card in cards}
    paths = {(card.name, key, WHOLE): store.artefact(card, key, out) for card in cards for key in keys[card.name]}
    paths |= {(card.name, key, k): store.stage(card, key, k, out) for card in cards
              for key in keys[card.name] for k in range(len(card.variants[key].stages))}
    times = run_times(paths)
    made = []
    for card in cards:
        variants = dict(card.variants)
        for key, variant in ((key, card.variants[key]) for key in keys[card.name]):
            stages = [msgspec.structs.replace(stage, run_time=times[card.name, key, k])
                      for k, stage in enumerate(variant.stages)]
            variants[key] = msgspec.structs.replace(variant, run_time=times[card.name, key, WHOLE], stages=stages)
        made_with = card.made_with | {"host": host_processor()}
        measured = msgspec.structs.replace(card, variants=variants, made_with=made_with)
        made.append(with_times(timed(measured, keys[card.name], out)))
        store.save_card(made[-1], out)
        for key, variant in made[-1].variants.items():
            print(f"{card.name} {key}: {variant.metrics}, p50 {variant.run_time.p50_ms:.2f} ms, "
                  f"p95 {variant.run_time.p95_ms:.2f} ms", flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*NETWORKS, "all", "batch", "profile"])
    parser.add_argument("--frames", type=int, help="frames to train on")
    parser.add_argument("--minutes", type=float, help="upper limit of the training, per model")
    parser.add_argument("--out", type=Path, default=ARTEFACTS)
    parser.add_argument("--students", nargs="+", metavar="NAME", help="train only these students")
    args = parser.parse_args()
    if args.what == "batch":
        return batch(args.out)
    if args.what == "profile":
        return profile(args.out)
    os.nice(5)
    torch.set_num_threads(2)
    for name in NETWORKS if args.what == "all" else [args.what]:
        frames = args.frames or TRAIN_FRAMES[name]
        if not args.students:
            make(name, frames, args.minutes or MINUTES[name], args.out)
        students(name, frames, args.out, args.students or list(STUDENTS[name]))
    return None


if __name__ == "__main__":
    main()
