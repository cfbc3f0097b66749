"""Make the shipped models again, from nothing: render, train, export, quantize, test, profile, write the cards.

    python -m models.build.recipe detector|segmenter|all [--frames N] [--minutes M] [--out DIR]
    python -m models.build.recipe profile [--out DIR]        only measure run times again
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

import msgspec
import torch
from torch import nn

from models.build import frames as worlds
from models.build.evaluate import evaluate
from models.build.export import IR_VERSION, OPSET, export
from models.build.networks import NETWORKS, parameters
from models.build.profile import memory_bytes, run_times
from models.build.quantize import quantize
from models.build.train import SCHEDULE, SEED, train
from models.session import Session
from models.store import ARTEFACTS, CARD, artefact, load_card, names
from swarm.core.cards import Card, Precision, Variant
from swarm.core.clock import MonotonicClock, seconds

TASK = {"detector": "detect", "segmenter": "segment"}
PRIMARY = {"detector": "ap50", "segmenter": "miou"}
MINUTES = {"detector": 6.0, "segmenter": 14.0}
TRAIN_FRAMES = 8000
USED = {"calibrate": (64, 4), "choose": (400, 20), "test": (1200, 80)}
"""Frames, and frames per building, behind the int8 ranges, the choice among them and the figures on the card."""


def make(name: str, frames: int, minutes: float, out: Path) -> Card:
    """Train model `name`, and ship it to `out`."""
    data = worlds.load("train", frames)
    clock = MonotonicClock()
    start_ns = clock.now_ns()
    network, steps = train(name, data, minutes * 60)
    took_min = seconds(clock.now_ns() - start_ns) / 60
    torch.save(network.state_dict(), worlds.DATA / f"{name}.pt")
    return ship(name, network, out, {
        "train": _seeds("train", frames), "train_steps": steps, "train_minutes": f"{took_min:.1f}",
    })


def ship(name: str, network: nn.Module, out: Path, made_with: dict[str, str]) -> Card:
    """Export, quantize, test and profile a trained network; write its files and its card."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[Precision, Path] = {"fp32": folder / "fp32.onnx", "int8": folder / "int8.onnx"}
    export(name, network, files["fp32"])
    calibration, choice, test = (worlds.load(kind, *used) for kind, used in USED.items())
    way, _ = quantize(name, files["fp32"], files["int8"], calibration.images,
                      lambda path: evaluate(name, Session(path), choice)[0][PRIMARY[name]])
    times = run_times(files)
    variants = {}
    for variant, path in files.items():
        metrics, errors = evaluate(name, Session(path), test)
        print(f"{name} {variant}: {metrics}, p50 {times[variant].p50_ms:.2f} ms", flush=True)
        variants[variant] = Variant(
            precision=variant, file=path.name, bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(), memory_bytes=memory_bytes(path),
            metrics=metrics, run_time=times[variant], error_model=errors,
        )
    session = Session(files["fp32"])
    card = Card(
        name=name, task=TASK[name], inputs=session.inputs, outputs=session.outputs, parameters=parameters(network),
        opset=OPSET, ir_version=IR_VERSION, primary_metric=PRIMARY[name], variants=variants,
        made_by=f"python -m models.build.recipe {name}",
        made_with=made_with | {
            "seed": str(SEED), "schedule": "batch {}, passes {}, rate {}".format(*SCHEDULE[name]), "int8": way,
            **{kind: _seeds(kind, *used) for kind, used in USED.items()},
            **{tool: version(tool) for tool in ("torch", "onnx", "onnxruntime")},
            "host": _host(),
        },
    )
    _write(card, out)
    return card


def profile(out: Path) -> None:
    """Measure the run times of all cards again; nothing else of them changes."""
    cards = [load_card(name, out) for name in names(out)]
    times = run_times({(card.name, key): artefact(card, key, out) for card in cards for key in card.variants})
    for card in cards:
        variants = {
            key: msgspec.structs.replace(variant, run_time=times[card.name, key])
            for key, variant in card.variants.items()
        }
        _write(msgspec.structs.replace(card, variants=variants, made_with=card.made_with | {"host": _host()}), out)
        for key, variant in variants.items():
            print(f"{card.name} {key}: p50 {variant.run_time.p50_ms:.2f} ms, p95 {variant.run_time.p95_ms:.2f} ms")


def _seeds(kind: str, *used: int) -> str:
    seeds = worlds.buildings(kind, *used)
    return f"{used[0]} frames of buildings {seeds[0]}-{seeds[-1]}"


def _write(card: Card, out: Path) -> None:
    path = out / card.name / CARD
    path.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")


def _host() -> str:
    """The processor that the run times were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    vnni = any("vnni" in line for line in lines if line.startswith("flags"))
    return f"{model}, {os.cpu_count()} cores, {'with' if vnni else 'without'} VNNI"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*NETWORKS, "all", "profile"])
    parser.add_argument("--frames", type=int, default=TRAIN_FRAMES, help="frames to train on")
    parser.add_argument("--minutes", type=float, help="upper limit of the training, per model")
    parser.add_argument("--out", type=Path, default=ARTEFACTS)
    asked = parser.parse_args()
    if asked.what == "profile":
        return profile(asked.out)
    os.nice(5)
    torch.set_num_threads(2)
    for name in NETWORKS if asked.what == "all" else [asked.what]:
        make(name, asked.frames, asked.minutes or MINUTES[name], asked.out)
    return None


if __name__ == "__main__":
    main()
