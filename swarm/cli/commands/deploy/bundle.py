"""`swarm deploy bundle --target NAME`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "make the tree of the runtime for kinds of boards, from wheels; nothing is needed on the boards"
EXAMPLE = "swarm deploy bundle --target jetpack6 --target jetpack7 --json"


def arguments(p: argparse.ArgumentParser) -> None:
    from swarm.deploy.targets import TARGETS

    p.add_argument("--target", action="append", required=True, choices=sorted(TARGETS), dest="targets")
    p.add_argument("--with", action="append", default=[], choices=("planner", "collector"), dest="parts",
                   help="what a board runs beside its agent")
    p.add_argument("--wheels", action="append", default=[], metavar="DIR", help="folders of wheels to take first")
    p.add_argument("--gpu", action="store_true", help="with ONNX Runtime for the GPU, from --wheels")
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Exit code 2 if a wheel is missing."""
    from swarm.cli.status_line import StatusLine
    from swarm.core.settings.errors import BadInput
    from swarm.deploy.bundles import bundle
    from swarm.deploy.bundles.store import Files
    from swarm.deploy.targets import TARGETS

    folders = [Path(name) for name in given.wheels]
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"--wheels {folder}", "it is no folder", "a folder of wheels")
    files, rows = Files(bundle.cache() / "files"), []
    with StatusLine() as status:
        for name in dict.fromkeys(given.targets):
            status(f"making the bundle for {name}")
            made = bundle.make(TARGETS[name], ["agent", *given.parts], files, folders, gpu=given.gpu)
            packed = sum(len(block) for block in files.stream(
                dict.fromkeys((entry.hash, 0) for entry in files.entries(made.tree))))
            rows.append({"target": made.target, "tree": made.tree, "files": made.files, "bytes": packed,
                         "bytes_unpacked": made.bytes, "wheels": made.wheels, "missing": made.missing})
    missing = [(str(row["target"]), row["missing"]) for row in rows if row["missing"]]
    if given.json:
        print(json.dumps({"bytes": sum(int(row["bytes"]) for row in rows),
                          "wheels": sum(len(row["wheels"]) for row in rows),
                          "missing": sum(len(row["missing"]) for row in rows), "targets": rows}))
    else:
        for row in rows:
            print(f"{row['target']}: {len(row['wheels'])} wheels, {row['files']} files, {row['bytes'] / 1e6:.1f} MB to "
                  f"send ({row['bytes_unpacked'] / 1e6:.0f} MB on the board)")
    for target, names in missing:
        raise BadInput(f"swarm deploy bundle --target {target}", f"no wheel of {', '.join(names)}", "--wheels DIR")
    return 0
