"""`swarm models verify NAME|FILE`: whether the stages of cut graphs give what the whole gives."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from models import store
from swarm.cli import extras
from swarm.cli.axes import sizes
from swarm.cli.progress import Progress
from swarm.core.settings.errors import BadInput
from swarm.core.settings.rules import known

if TYPE_CHECKING:
    from models.build.cut.proof import Proof


def verify(given: argparse.Namespace) -> int:
    """Exit code 1 when a cut fails; each that does is named."""
    extras.needed("swarm models verify", "onnx")
    with Progress() as progress:
        name, proofs = (_file if Path(given.model).suffix == ".onnx" else _model)(given, progress)
    if given.json:
        print(msgspec.json.encode(_summary(name, proofs)).decode())
    else:
        for key, proof in proofs.items():
            _print(f"{name} {key}".strip(), proof)
    for key, proof in proofs.items():
        for line in proof.failures:
            print(f"swarm: {name} {key}: {line}", file=sys.stderr)
    return 1 if any(proof.failures for proof in proofs.values()) else 0


def _model(given: argparse.Namespace, progress: Progress) -> tuple[str, dict[str, Proof]]:
    """Of each variant of a model, or of the one asked for."""
    from models.build.cut.proof import prove_variant
    from models.build.quantize.calibration import RANDOM, WORLD, is_camera

    known(given.model, store.names(), "swarm models verify", "model")
    card = store.load_card(given.model)
    if given.variant is not None:
        known(given.variant, card.variants, "--variant", "variant")
    if given.axis:
        raise BadInput("--axis", "is for files", "a model of the store has its axes bound")
    source = given.inputs or (WORLD if is_camera(card) and importlib.util.find_spec("pybullet") else RANDOM)
    if source == WORLD:
        extras.needed("swarm models verify --inputs world", "pybullet")
    proofs = {}
    for key in [given.variant] if given.variant else card.variants:
        tell = _teller(progress, f"{card.name} {key}")
        proofs[key] = prove_variant(card, key, all_cuts=given.all_cuts, source=source, tell=tell)
    return card.name, proofs


def _file(given: argparse.Namespace, progress: Progress) -> tuple[str, dict[str, Proof]]:
    """Of a file that is no model of the store: on random inputs alone."""
    from models.build.cut.proof import prove
    from models.build.importing import read, static

    if given.inputs or given.variant:
        raise BadInput(given.model, "has no variants, and is run on random inputs only", "import it first")
    graph, _ = static(read(Path(given.model)), sizes(given.axis), given.model)
    return given.model, {"": prove(graph.model, all_cuts=given.all_cuts, tell=_teller(progress, given.model))}


def _teller(progress: Progress, what: str) -> Callable[[int, int], None]:
    return lambda done, of: progress(f"{what}: {done} of {of} cuts")


def _summary(name: str, proofs: dict[str, Proof]) -> dict[str, object]:
    """All variants together, with the keys of one report, and each by itself."""
    reports = {key: proof.report for key, proof in proofs.items()}

    def merged(field: str) -> list[object]:
        return [msgspec.structs.replace(one, cut=f"{key} {one.cut}".strip())
                for key, report in reports.items() for one in getattr(report, field)]

    return {
        "model": name, "cuts": sum(report.cuts for report in reports.values()),
        "verified": sum(report.verified for report in reports.values()), "skipped": merged("skipped"),
        "failed": merged("failed"), "explained": merged("explained"),
        "max_abs_error": max(report.max_abs_error for report in reports.values()), "variants": proofs,
    }


def _print(what: str, proof: Proof) -> None:
    found = proof.report
    print(f"{what}: {found.verified} of {found.cuts} cuts verified on {proof.drawn} random and {proof.real} real "
          f"inputs, max abs error {found.max_abs_error:.3g}")
    if proof.stages and not proof.stages_wrong:
        print(f"  its {proof.stages} stages give what the whole gives")
    for one in found.explained:
        print(f"  explained {one.cut}: {one.share:.2%} of the output differs by up to {one.max_abs_error:.3g}: "
              f"{one.cause}")
    for one in found.skipped:
        print(f"  skipped {one.cut}: {one.reason}")
