"""`swarm models quantize NAME --calibrate SOURCE`: variants that pass the gate, kept in the user's store."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from models.build.quantize.int8_variants import QuantizationResult
    from swarm.core.settings.cards import Card

HELP = "make variants of lower precision, and keep those that pass the gate"
EXAMPLE = "swarm models quantize detector --for tensorrt --calibrate world"
CPU, TENSORRT = "cpu", "tensorrt"
Say = Callable[[str], None]
Show = Callable[[list[str], bool], None]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("name", metavar="NAME")
    p.add_argument("--for", dest="target", choices=(CPU, TENSORRT), default=CPU,
                   help="cpu: int8 as processors run it best (default); tensorrt: fp16 and int8 as TensorRT does, of "
                        "each variant in float32")
    p.add_argument("--calibrate", metavar="SOURCE", required=True,
                   help="world (rendered frames), random, or a .npy or .npz file or a folder of these")


def run(given: argparse.Namespace) -> int:
    """Make and keep variants. Exit code 1 if no variant passes the gate."""
    from models import store
    from swarm.core.settings.rules import known

    known(given.name, store.names(), "swarm models quantize", "model")
    extras.needed("swarm models quantize", "onnx")
    from models.build.quantize.calibration_inputs import WORLD
    from models.build.quantize.quantizer_setup import is_labelled
    from swarm.cli.status_line import StatusLine

    card, told = store.load_card(given.name), []
    if given.calibrate == WORLD or is_labelled(card):
        extras.needed("swarm models quantize", "pybullet")
    with StatusLine() as status:
        def on_trial(trial: str) -> None:
            told.append(trial)
            status(f"{card.name} {trial}")

        try:
            made, show = (_for_tensorrt if given.target == TENSORRT else _for_cpu)(given, card, status, on_trial)
        except ValueError as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"model {given.name!r}", str(error), "a float32 graph with weights") from None
    show(told, given.json)
    return 0 if made else 1


def _for_cpu(given: argparse.Namespace, card: Card, say: Say, on_trial: Say) -> tuple[list[str], Show]:
    """Make and keep them. Returns what was made, and what prints it."""
    from models import cache
    from models.build.quantize.int8_variants import load, make_int8_variants
    from models.build.quantize.quantizer_setup import setup_for

    setup = setup_for(card, load(card), given.calibrate, cache.folder() / "frames", say)
    result = make_int8_variants(card, setup, say=say, on_trial=on_trial)
    return result.made, partial(_print, result)


def _for_tensorrt(given: argparse.Namespace, card: Card, say: Say, on_trial: Say) -> tuple[list[str], Show]:
    """As `_for_cpu`."""
    from models import cache, store
    from models.build.quantize.quantizer_setup import setup_for
    from models.build.tensorrt.variants import make_tensorrt_variants

    after, made = make_tensorrt_variants(
        card, lambda card, model: setup_for(card, model, given.calibrate, cache.folder() / "frames", say), say=say,
        on_trial=on_trial)
    if made:
        store.save_card(after)
    return made, partial(_print_tensorrt, after, made)


def _print_tensorrt(card: Card, made: list[str], told: list[str], as_json: bool) -> None:
    import msgspec

    if as_json:
        rows = [{
            "variant": key, "way": card.variants[key].way, "gate": msgspec.to_builtins(card.variants[key].gate),
            "bytes": card.variants[key].bytes, "stages": len(card.variants[key].stages),
            "providers": card.variants[key].providers,
        } for key in made]
        print(msgspec.json.encode({"name": card.name, "made": rows, "trials": told}).decode())
        return
    print("\n".join(f"  {line}" for line in told))
    for key in made:
        variant = card.variants[key]
        stages = f" in {len(variant.stages)} stages" if variant.stages else ""
        print(f"{card.name} {key}{stages}: {variant.way}; {variant.bytes / 1024:,.0f} KiB, "
              f"for {', '.join(variant.providers)}")
    if not made:
        print(f"{card.name}: no variant for TensorRT passed the gate; nothing was kept")


def _print(result: QuantizationResult, told: list[str], as_json: bool) -> None:
    import msgspec

    from models import profiles

    card, times = result.card, profiles.run_times(result.card, result.profile.variants)
    slower, chosen = profiles.slower_than_parent(card, times), profiles.chosen(card, times)
    if as_json:
        made = [{
            "variant": key, "way": card.variants[key].way, "gate": msgspec.to_builtins(card.variants[key].gate),
            "bytes": card.variants[key].bytes, "stages": len(card.variants[key].stages), "p50_ms": times[key].p50_ms,
            "slower_than": slower.get(key, ""), "chosen_here": key == chosen,
        } for key in result.made]
        print(msgspec.json.encode({"name": card.name, "made": made, "trials": told}).decode())
        return
    print("\n".join(f"  {line}" for line in told))
    for key in result.made:
        mark = f", slower than {slower[key]} here" if key in slower else ", chosen here" if key == chosen else ""
        variant = card.variants[key]
        stages = f" in {len(variant.stages)} stages" if variant.stages else ""
        print(f"{card.name} {key}{stages}: {variant.way}; {variant.bytes / 1024:,.0f} KiB, "
              f"p50 {times[key].p50_ms:.2f} ms{mark}")
    if not result.made:
        print(f"{card.name}: no int8 variant passed the gate; nothing was kept")
