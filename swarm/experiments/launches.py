"""The launches of an experiment: its launch file with the values of each combination, and the points with their ids."""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from models import store
from models.tasks import FILE
from swarm import plugins
from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import ExperimentFile
from swarm.experiments.design.identity import digest, identity, with_seed
from swarm.experiments.design.points import Block, Cell, Combination
from swarm.experiments.design.sweep import Point
from swarm.experiments.known import KnownOnce
from swarm.launcher.load import find_source, load_from
from swarm.run.settings.resolve import Options, Resolved

ROBOTS = "robots"                    # an axis that is an option of `swarm launch`, and no key of the file
CONTROL_SEEDS = 1_000_000_000        # added to the seed of a control in virtual time: the same seed gives the same run


class Launches:
    """Resolves each combination once. where: the experiment file. ray: as `swarm launch --ray`.

    Raises: BadInput for a launch file that cannot be read.
    """

    def __init__(self, file: ExperimentFile, where: Path) -> None:
        name = file.launch
        if "/" in name or name.endswith((".yaml", ".yml")):
            name = str(where.parent / name)
        self._file, self._where, self._launch = file, where, name
        self._named = name == file.launch            # a launch of this installation, and no file of the user's
        self._boards = [str(where.parent / boards) for boards in file.boards]
        try:
            self._source = find_source(name, self._boards)
        except BadInput as error:
            key = "boards" if error.where.startswith(tuple(self._boards)) else "launch"
            raise BadInput(f"{where}: {key}: {error.where}", error.what, error.want) from None
        self._installed = KnownOnce(Path(self._source.path).parent)
        self._known: dict[str, tuple[Resolved, str]] = {}
        self._contents = functools.cache(contents_of)
        self._trace = functools.cache(lambda path: _hashed(Path(path).read_bytes()))

    def check(self, combinations: Sequence[Combination], told: Callable[[str], None]) -> None:
        """Check every combination, with the first seed. Raises: BadInput that names the point."""
        same: dict[str, Combination] = {}
        for number, one in enumerate(combinations, start=1):
            told(f"checking point {number} of {len(combinations)}")
            if (other := same.setdefault(self._resolved(one)[1], one)) is not one:
                raise BadInput(f"{self._where}: point {one.named}", f"its runs are those of point {other.named}",
                               "axes that change the launch, each value once")

    @property
    def files(self) -> list[str]:
        """Files of the user's that the checked combinations name by path: launch file, boards, traces, maps and bodies.
        """
        named = {path for resolved, _ in self._known.values() for path in resolved.traces}
        named |= {path for resolved, _ in self._known.values() for path in resolved.bodies}
        named |= {path for resolved, _ in self._known.values() if resolved.floor is not None
                  for path in (resolved.floor.path, resolved.floor.image_path)}
        return [*([] if self._named else [self._launch]), *self._boards, *sorted(named)]

    def resolved(self, one: Combination) -> Resolved:
        """The launch of a combination, with the first seed. Raises: BadInput that names the point."""
        return self._resolved(one)[0]

    def of(self, one: Combination, point: Point) -> Resolved:
        """The launch of a point."""
        resolved = self.resolved(one)
        return msgspec.structs.replace(
            resolved, launch=msgspec.structs.replace(resolved.launch, seed=point.run_seed))

    def points(self, block: Block) -> list[tuple[Point, Combination]]:
        """The points of a block, in the order in which they run."""
        made = []
        for one in block.combinations:
            resolved, base = self._resolved(one)
            again = one.control and resolved.launch.clock == "virtual"
            seed = block.seed + CONTROL_SEEDS if again else block.seed
            made.append((Point(id=with_seed(base, seed), values=one.values, cell=one.cell, arm=one.arm,
                               seed=block.seed, run_seed=seed), one))
        return made

    def command(self, point: Point) -> str:
        """The command that flies a point alone, from any folder."""
        launch = self._launch if self._named else str(Path(self._launch).absolute())
        values = self._file.set | point.values
        robots = ["--robots", str(values[ROBOTS])] if ROBOTS in values else []
        settings = [word for text in self._assignments(point.values) for word in ("--set", text)]
        boards = [word for path in self._boards for word in ("--boards", str(Path(path).absolute()))]
        seed = ["--seed", str(point.run_seed), "--ray", "none"]
        return shlex.join(["swarm", "launch", launch, *boards, *robots, *seed, *settings])

    def _resolved(self, one: Combination) -> tuple[Resolved, str]:
        """The launch, and the identity of its points but for their seeds."""
        key = json.dumps([one.values, one.control], sort_keys=True)
        if key not in self._known:
            resolved = self._load(one)
            traces = {path: self._trace(path) for path in resolved.traces}
            self._known[key] = resolved, identity(
                resolved, self._contents(models_of(resolved)), traces, one.arm if one.control else "")
        return self._known[key]

    def _load(self, one: Combination) -> Resolved:
        values = self._file.set | one.values
        try:
            options = Options(
                launch=self._file.launch, assignments=self._assignments(one.values), seed=self._file.first_seed,
                robots=values.get(ROBOTS), ray="none")
            if values.get(ROBOTS, 0) is None:
                raise BadInput(ROBOTS, "it is empty", "a whole number")
            resolved = load_from(self._source, options, self._installed)
            if resolved.launch.clock == "virtual":
                self._installed.check_virtual(frozenset(stream.model for stream in resolved.launch.streams))
            return resolved
        except BadInput as error:
            raise BadInput(f"{self._where}: point {one.named}: {error.where}", error.what, error.want) from None

    def _assignments(self, values: Cell) -> list[str]:
        keys = self._file.set | values
        for key in keys:
            if "=" in key:                           # the rest would be taken for its value
                raise BadInput(key, "it has a =", "a key of the launch file")
        return [f"{key}={json.dumps(value)}" for key, value in keys.items() if key != ROBOTS]


def models_of(resolved: Resolved) -> tuple[str, ...]:
    """The names of the models that a launch runs."""
    return tuple(sorted({stream.model for stream in resolved.launch.streams}))


def contents_of(models: tuple[str, ...]) -> dict[str, str]:
    """Hashes of what runs with these models read beside their launch files: cards, which have the hashes of models,
    tasks of the user, and plug-ins.
    """
    loaded = {name: store.load_card(name) for name in models}
    cards = {f"model {name}": _hashed(_packed(card)) for name, card in loaded.items()}
    cards |= {f"task of {name}": _hashed(Path(card.task).read_bytes()) for name, card in loaded.items()
              if card.task.endswith(FILE) and Path(card.task).is_file()}
    return cards | {f"plug-in {name}": _hashed(path.read_bytes()) for name, path in plugins.files().items()}


def code_hash(packages: Iterable[str] = ("swarm", "agents", "models", "sim_worlds")) -> str:
    """The hash of this installation's code: results of another one are never mixed in silence."""
    root = Path(plugins.__file__).parent.parent
    files = sorted(path for package in packages for path in (root / package).rglob("*")
                   if path.suffix in (".py", ".urdf"))
    return digest([[str(path.relative_to(root)), path.read_bytes()] for path in files])


def _hashed(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _packed(card: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(card, str_keys=True), sort_keys=True).encode()
