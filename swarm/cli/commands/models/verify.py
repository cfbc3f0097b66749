"""`swarm models verify NAME|FILE`: check that the stages of a cut graph give the same outputs as the unsplit graph."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli import extras, provider_check
from swarm.cli.commands.models.import_ import add_input
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from models.build.cut.verify_variant import Verification
    from swarm.cli.status_line import StatusLine

HELP = "check that cut graphs give the same outputs as the unsplit graph, or that TensorRT takes them"
EXAMPLE = "swarm models verify detector --all-cuts --json"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", metavar="NAME|FILE", help="a model, or an .onnx file")
    p.add_argument("--all-cuts", action="store_true", help="every cut, not only the 8 best")
    p.add_argument("--variant", metavar="V", help="default: all")
    p.add_argument("--inputs", metavar="SOURCE",
                   help="real inputs: world (rendered frames), random (none), or a .npy or .npz file or a folder of "
                        "these; default: world where the model takes such frames")
    p.add_argument("--axis", metavar="AXIS=SIZE", action="append", default=[],
                   help="bind a dynamic axis of a file; may be repeated")
    p.add_argument("--provider", choices=["tensorrt"],
                   help="check instead that TensorRT takes the variants: operators, types, shapes, quantization; and "
                        "that their results on a CPU pass the gate")
    add_input(p)


def run(given: argparse.Namespace) -> int:
    """Print each cut that fails. Exit code 1 if there is one."""
    extras.needed("swarm models verify", "onnx")
    if given.provider:
        return provider_check.run(given)
    import msgspec

    from swarm.cli.status_line import StatusLine

    with StatusLine() as status:
        name, proofs = (_file if Path(given.model).suffix == ".onnx" else _model)(given, status)
    if given.json:
        print(msgspec.json.encode(_summary(name, proofs)).decode())
    else:
        for key, proof in proofs.items():
            _print(f"{name} {key}".strip(), proof)
    for key, proof in proofs.items():
        for line in proof.failures:
            print(f"swarm: {name} {key}: {line}", file=sys.stderr)
    return 1 if any(proof.failures for proof in proofs.values()) else 0


def _model(given: argparse.Namespace, status: StatusLine) -> tuple[str, dict[str, Verification]]:
    """Verify each variant of a model, or only the given one."""
    from models import store
    from models.build.cut.verify_variant import verify_variant
    from models.build.quantize.calibration_inputs import RANDOM, WORLD, is_camera
    from swarm.core.settings.rules import known

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
        progress = _progress(status, f"{card.name} {key}")
        proofs[key] = verify_variant(card, key, all_cuts=given.all_cuts, source=source, progress=progress,
                                     inputs=given.input)
    return card.name, proofs


def _file(given: argparse.Namespace, status: StatusLine) -> tuple[str, dict[str, Verification]]:
    """Verify a file outside the store, on random inputs."""
    from models.build.cut.verify_variant import verify_model
    from models.build.graph.reading import read
    from models.build.graph.static import static
    from swarm.cli.commands.models.import_ import axis_sizes

    if given.inputs or given.variant:
        raise BadInput(given.model, "is a file: it has no variants and gets random inputs", "import it first")
    graph, _ = static(read(Path(given.model)), axis_sizes(given.axis), given.model, given.input)
    progress = _progress(status, given.model)
    return given.model, {"": verify_model(graph, all_cuts=given.all_cuts, progress=progress)}


def _progress(status: StatusLine, what: str) -> Callable[[int, int], None]:
    return lambda done, of: status(f"{what}: {done} of {of} cuts")


def _summary(name: str, proofs: dict[str, Verification]) -> dict[str, object]:
    """The totals of all variants, with the keys of a report, and the details of each variant."""
    import msgspec

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


def _print(what: str, proof: Verification) -> None:
    from models.build.cut.verify import FUSED, in_words

    found = proof.report
    print(f"{what}: {found.verified} of {found.cuts} cuts verified on {proof.drawn} random and {proof.real} real "
          f"inputs, max abs error {found.max_abs_error:.3g}")
    if proof.stages and proof.stages_differ is None:
        print(f"  its {proof.stages} stages give the same outputs as the unsplit graph")
    elif proof.stages_differ is not None and proof.stages_differ.cause == FUSED:
        print(f"  explained: {proof.stages_differ}")
    for one in found.explained:
        print(f"  explained: cut {one}")
    if found.explained:
        print(f"  for comparison: {in_words(found.optimised)}")
    for one in found.skipped:
        print(f"  skipped {one.cut}: {one.reason}")
