"""`swarm experiment bundle`: one archive with which an artefact committee can check and repeat an experiment."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from swarm import settings_files
from swarm.core.settings import yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.experiments.design.points import cell_key
from swarm.experiments.design.rows import PointRow, Results
from swarm.experiments.results import results_file
from swarm.experiments.results.words import cell_text
from swarm.experiments.store import SOURCE, is_whole
from swarm.telemetry.file_types import Manifest
from swarm.telemetry.recorder import renamed

OF_EXPERIMENT = ("experiment.yaml", "journal.jsonl", results_file.NAME, "points.parquet", "points.csv",
                 "comparisons.csv", "comparisons.md", "comparisons.tex", "experiment.html")
OF_RUN = ("manifest.json", "summary.json", "requests.parquet")
SUMS = "SHA256SUMS"
README = """\
# Experiment {name}

{points} points, code revision {revision}. Install that revision of `swarm-edge-runtime` with the versions in
versions.json.

- `sha256sum -c {sums}` checks that nothing is missing or changed.
- `{again}` repeats the whole. In virtual time it gives the same
  points.
- The commands below repeat a single point: one for each cell and arm, whose launch file is written out in full. Another
  seed is another point.
- experiment.html shows the results. `swarm.load(".")` in Python gives them as tables, with all requests.

{commands}"""


class Single(NamedTuple):
    """The launch file of one cell and arm, resolved, with the first of its points."""

    row: PointRow
    launch: LaunchFile


def bundle(folder: Path, out: Path, unfinished: bool = False) -> Path:
    """Write the archive, a .tar.gz; returns its path. The same folder gives the same bytes.

    unfinished: take an experiment whose points have not all run. Raises: BadInput (no folder of an experiment, an
    unfinished one, a file that is gone or damaged), OSError (`out` cannot be written).
    """
    folder, out = Path(folder), Path(out)
    results = results_file.read(folder)
    waiting = sum(row.waits for row in results.rows)
    if waiting and not unfinished:
        raise BadInput(str(folder), f"{waiting} of {len(results.rows)} points have not run",
                       "finish it with --resume, or say that it may be unfinished")
    if damaged := next((row.folder for row in results.rows if row.folder and not is_whole(folder / row.folder)), None):
        raise BadInput(str(folder / damaged), "it is damaged", "a whole run folder; --resume flies it again")
    manifests = {row.id: _manifest(folder / row.folder) for row in results.rows if row.folder}
    singles = _singles(results, manifests)
    made = _made(results, singles, manifests)
    made |= _traces(singles) | _maps(singles)
    files = _files(folder, results)

    def pack(tmp: Path) -> None:
        with open(tmp, "wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed, \
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            _fill(archive, results.name, made, files)

    renamed(out, pack)
    return out


def _fill(archive: tarfile.TarFile, top: str, made: dict[str, bytes], files: Sequence[tuple[str, Path]]) -> None:
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in made.items()]
    for name, content in made.items():
        archive.addfile(_entry(f"{top}/{name}", len(content)), io.BytesIO(content))
    for name, path in files:
        with open(path, "rb") as file:
            sums.append(f"{_digest(file)}  {name}")
            file.seek(0)
            archive.addfile(_entry(f"{top}/{name}", path.stat().st_size), file)
    content = ("\n".join(sums) + "\n").encode()
    archive.addfile(_entry(f"{top}/{SUMS}", len(content)), io.BytesIO(content))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """Without times and owners."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while part := file.read(1 << 20):
        found.update(part)
    return found.hexdigest()


def _files(folder: Path, results: Results) -> list[tuple[str, Path]]:
    """Name in the archive and path of each file that is taken as it is. Raises: BadInput."""
    if not (folder / OF_EXPERIMENT[0]).is_file():
        raise BadInput(str(folder), f"it has no {OF_EXPERIMENT[0]}", "the folder of an experiment")
    source = [str(path.relative_to(folder)) for path in sorted((folder / SOURCE).rglob("*")) if path.is_file()]
    names = [*OF_EXPERIMENT, *source, *results.figure_files,
             *(f"{row.folder}/{name}" for row in results.rows if row.folder for name in OF_RUN)]
    return [(name, folder / name) for name in names if (folder / name).is_file()]


def _singles(results: Results, manifests: dict[str, Manifest]) -> list[Single]:
    """Of each cell and arm that has run, in order."""
    first: dict[tuple[str, str], PointRow] = {}
    for row in results.rows:
        if row.folder:
            first.setdefault((cell_key(row.cell), row.arm), row)
    return [Single(row, manifests[row.id].launch) for row in first.values()]


def _made(results: Results, singles: Sequence[Single], manifests: dict[str, Manifest]) -> dict[str, bytes]:
    """Files that are written for the archive: README, versions, launch files."""
    commands = []
    for row, launch in singles:
        of = ", ".join(filter(None, (cell_text(row.cell), row.arm)))
        commands.append(f"    swarm launch launch/{row.id}.yaml --seed {launch.seed} --ray none "
                        f"--out again-{row.id[:8]}{f'      # {of}' * bool(of)}\n")
    readme = README.format(name=results.name, points=len(results.rows), revision=results.revision, sums=SUMS,
                           again=results.again, commands="".join(commands))
    machines: list[dict[str, Any]] = []
    for manifest in manifests.values():
        machine = {"revision": manifest.revision, "versions": manifest.versions,
                   "host": msgspec.to_builtins(manifest.host)}
        if machine not in machines:
            machines.append(machine)
    files = {f"launch/{row.id}.yaml": yaml_text.dump(_standing_alone(launch)).encode() for row, launch in singles}
    return {"README.md": readme.encode(), "versions.json": json.dumps(machines, indent=1).encode() + b"\n", **files}


def _standing_alone(launch: LaunchFile) -> LaunchFile:
    """The launch file with the places of its traces and its map in the archive."""
    links = {key: msgspec.structs.replace(link, trace=_place(link.trace)) if link.trace else link
             for key, link in launch.links.items()}
    return msgspec.structs.replace(launch, links=links, map=_place(launch.map) if launch.map else "")


def _traces(singles: Sequence[Single]) -> dict[str, bytes]:
    """The traces that the launch files name."""
    paths = [link.trace for _, launch in singles for link in launch.links.values() if link.trace]
    return {f"launch/{_place(path)}": _content(Path(path)) for path in dict.fromkeys(paths)}


def _maps(singles: Sequence[Single]) -> dict[str, bytes]:
    """The maps that the launch files name, and their images."""
    made = dict[str, bytes]()
    for path in dict.fromkeys(launch.map for _, launch in singles if launch.map):
        source = settings_files.load_map(Path(path))
        image = Path(_place(source.image_path)).name
        described = msgspec.structs.replace(source.described, image=image)
        made |= {f"launch/{_place(path)}": yaml_text.dump(described).encode(), f"launch/files/{image}": source.image}
    return made


def _place(path: str) -> str:
    """A file's name in the archive: two files of one name in different folders stay apart."""
    return f"files/{hashlib.sha256(path.encode()).hexdigest()[:8]}-{Path(path).name}"


def _manifest(run: Path) -> Manifest:
    path = run / "manifest.json"
    try:
        return msgspec.json.decode(_content(path), type=Manifest)
    except msgspec.DecodeError as error:
        raise BadInput(str(path), f"it is damaged: {error}", "a whole run folder") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "the file with which the experiment ran") from None
