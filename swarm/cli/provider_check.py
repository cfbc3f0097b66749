"""`swarm models verify NAME --provider tensorrt`: whether TensorRT takes the variants of a model, without TensorRT."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import TYPE_CHECKING

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from models.build.quantize.gates import Judge
    from models.build.tensorrt.verifying import FormReport
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.cards import Card


def run(given: argparse.Namespace) -> int:
    """Print the variants that pass, and each offending node of the others. Exit code 1 if there is one."""
    import msgspec

    from models import store
    from models.build.tensorrt.verifying import meant, verify_form
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.rules import known

    known(given.model, store.names(), "swarm models verify --provider", "model")
    card = store.load_card(given.model)
    _check_words(given, card)
    for_it = meant(card)
    others = {key: _why_not(card, key) for key in card.variants if key not in for_it}
    if given.variant is not None:
        known(given.variant, card.variants, "--variant", "variant")
        if given.variant in others:
            raise BadInput(f"--variant {given.variant}", others[given.variant],
                           f"one for {given.provider}: {', '.join(for_it) or 'none'}")
    reports: dict[str, FormReport] = {}
    with StatusLine() as status:
        judges: dict[str, Judge | None] = {}
        for key in [given.variant] if given.variant else for_it:
            status(f"checking {card.name} {key}")
            parent = card.variants[key].parent
            if parent and parent not in judges:
                judges[parent] = _judge(given, card, parent, status)
            reports[key] = verify_form(card, key, judge=judges.get(parent))
    failures = {key: report.failures for key, report in reports.items()}
    if given.json:
        rows = {key: msgspec.to_builtins(report) | {"failures": failures[key]} for key, report in reports.items()}
        print(msgspec.json.encode({"model": card.name, "provider": given.provider, "variants": rows,
                                   "skipped": {} if given.variant else others}).decode())
    else:
        for key, report in reports.items():
            print(_line(f"{card.name} {key}", report))
        for key, why in {} if given.variant else others.items():
            print(f"{card.name} {key}: skipped, since it {why}")
    for key, lines in failures.items():
        for line in lines:
            print(f"swarm: {card.name} {key}: {line}", file=sys.stderr)
    if not reports:
        print(f"swarm: {card.name} has no variant for {given.provider}: `swarm models quantize {card.name} --for "
              f"{given.provider} --calibrate SOURCE` makes them", file=sys.stderr)
    return 1 if not reports or any(failures.values()) else 0


def _check_words(given: argparse.Namespace, card: Card) -> None:
    """Raises: BadInput for an option that would change nothing."""
    from models.build.quantize.quantizer_setup import is_labelled

    if given.all_cuts or given.axis or given.input:
        word = "--all-cuts" if given.all_cuts else "--axis" if given.axis else "--input"
        raise BadInput(f"swarm models verify --provider {given.provider}", f"does not take {word}", "no such option")
    if given.inputs and is_labelled(card):
        raise BadInput(f"--inputs {given.inputs}", f"{card.name} is compared on rendered frames with their truth",
                       "no --inputs")


def _line(what: str, report: FormReport) -> str:
    form = (f"{report.operators} nodes in {report.files} file{'s' if report.files > 1 else ''}: "
            + (f"{len(report.offences)} that TensorRT does not take" if report.offences else "TensorRT takes all"))
    compared = f", {report.metric} {report.value:.4f} (gate {report.floor:.4f})" if report.metric else ""
    return f"{what}: {form}{compared}"


def _why_not(card: Card, key: str) -> str:
    """Why a variant is not for TensorRT, with the first node that TensorRT would refuse."""
    from models.build.tensorrt.verifying import verify_form

    found = verify_form(card, key).offences
    telling = [one for one in found if "its zero point" in one.why] or found
    refused = f"; TensorRT would refuse {len(found)} nodes and tensors of it, such as {telling[0]}" if telling else ""
    return f"is for {', '.join(card.variants[key].providers)}{refused}"


def _judge(given: argparse.Namespace, card: Card, parent: str, status: StatusLine) -> Judge | None:
    """What compares variants with their parent: the task's own metric on rendered frames, else agreement of outputs.

    None for a labelled task where nothing can render.
    """
    from models import cache
    from models.build.quantize.calibration_inputs import RANDOM, WORLD, is_camera
    from models.build.quantize.gates import Labelled
    from models.build.quantize.int8_variants import load
    from models.build.quantize.quantizer_setup import frames, is_labelled, setup_for

    folder = cache.folder() / "frames"
    renders = importlib.util.find_spec("pybullet") is not None
    source = given.inputs or (WORLD if is_camera(card) and renders else RANDOM)
    if source == WORLD:
        extras.needed("swarm models verify --inputs world", "pybullet")
    if is_labelled(card):
        if not renders:
            status("results are not compared: nothing renders frames here")
            return None
        choose = frames(card.task, "choose", folder, status)
        return Labelled(card.task, card.primary_metric, load(card, None, parent), choose)
    return setup_for(card, load(card, None, parent), source, folder, status).judge
