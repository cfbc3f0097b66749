"""What an operator asks of a board. Each command takes JSON, or a stream of files, and answers with JSON."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

from swarm.deploy.keeper import manifest, units
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.gates import Verdict
from swarm.deploy.keeper.places import Places, read_json, sync_folder, write_file, write_json
from swarm.deploy.keeper.store import Store
from swarm.deploy.keeper.system import USER, System
from swarm.deploy.keeper.trees import Trees
from swarm.deploy.keeper.trial import Trial

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
ROLE = re.compile(r"[a-z]{1,16}")
LOG_LINES = 200
Given = dict[str, Any]


class Keeper:
    """The keeper of one board."""

    def __init__(self, places: Places, system: System) -> None:
        self.places, self.system = places, system
        self.store = Store(places, system)
        self.trees = Trees(places, system, self.store)
        self.trial = Trial(places, system)

    # --- set up ---

    def install(self, given: Given) -> Given:
        """Make the board a board of this swarm: the keeper, its user, its unit, and who may sign releases.

        given: name, signer (a line of allowed_signers), unit, journal. Raises: Refused for a board of another name,
        or another signer than the one that it knows.
        """
        places, system = self.places, self.system
        known = read_json(places.board)
        if known and known.get("name") != given["name"]:
            raise Refused(f"this board is {known.get('name')}; a board that is to be another is set up anew: remove "
                          f"{places.home} on it")
        if places.signers.exists() and places.signers.read_text() != given["signer"]:
            raise Refused("releases of this board are signed by another key")
        places.home.mkdir(parents=True, exist_ok=True)
        own = Path(sys.argv[0])
        if own != places.keeper and own.is_file():
            write_file(places.keeper, own.read_bytes())
        with contextlib.suppress(Refused):           # the user may be there
            system.run("useradd", "--system", "--no-create-home", "--home-dir", str(places.data),
                       "--shell", "/usr/sbin/nologin", USER)
        for folder, mode in ((places.data, 0o755), (places.keys, 0o700)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
            with contextlib.suppress(LookupError, PermissionError):
                shutil.chown(folder, USER, USER)
        write_file(places.signers, given["signer"].encode())
        units.install_keeper(places, system, given["unit"], given["journal"])
        write_json(places.board, {"highest": 0, **known, "name": given["name"]})
        return self.status({})

    # --- files ---

    def offer(self, given: Given) -> Given:
        """Take a signed manifest, and say what of it is missing here: lists of trees first, then their files.

        given: manifest and signature (base64), older (whether an older one is right).
        """
        found = manifest.accept(base64.b64decode(given["manifest"]), base64.b64decode(given["signature"]),
                                bool(given.get("older")), self.places, self.system)
        missing: list[tuple[str, int]] = []
        need_bytes = 0
        for tree in (found.site, found.config):
            entries = self.trees.entries(tree)
            if entries is None:
                missing.append((tree, 0))
                continue
            if (self.places.trees / tree).is_dir():
                self.trees.altered(tree)
            sizes = {entry.hash: entry.size for entry in entries}
            lacking = self.store.missing(sizes.items())
            need_bytes += sum(sizes[name] - have for name, have in lacking)
            missing += lacking
        if need_bytes:
            self.store.check_space(need_bytes)
        return {"missing": missing, "need_bytes": need_bytes}

    def receive(self, stream: BinaryIO) -> Given:
        """Take files."""
        return {"files": self.store.receive(stream)}

    def stage(self, given: Given) -> Given:
        """Put the trees of a release together, and bring them to the disk. Nothing runs yet. given: release."""
        found = manifest.of_release(int(given["release"]), self.places, self.system)
        for tree in (found.site, found.config):
            self.trees.build(tree)
        return {"release": found.number}

    def sweep(self, given: Given) -> Given:
        """Remove releases but the current and the previous one, and what only they held. given: keep (a release)."""
        places = self.places
        kept = {places.number(places.current), places.number(places.previous), int(given.get("keep", 0))}
        kept |= {int(read_json(places.trial).get(key, 0)) for key in ("release", "before", "previous")}
        trees: set[str] = set()
        for folder in places.releases.iterdir() if places.releases.exists() else ():
            if folder.name.isdigit() and int(folder.name) in kept:
                with contextlib.suppress(Refused, OSError):
                    content = (folder / "manifest.json").read_bytes()
                    found = manifest.parse(content, str(read_json(places.board).get("name")))
                    trees |= {found.site, found.config}
            else:
                shutil.rmtree(folder, ignore_errors=True)
        self.trees.sweep(trees)
        return {"freed_bytes": self.store.sweep()}

    # --- keys ---

    def keys(self, given: Given) -> Given:
        """Make the keys of these processes, if they have none, with a release's own program. Returns the public ones.

        given: release, names (with the role of each in the swarm).
        """
        python = self.places.trees / self._site(int(given["release"])) / "bin" / "python"
        found: dict[str, str] = {}
        for name in self._names(given["names"]):
            role = str(given["names"][name])
            if ROLE.fullmatch(role) is None:
                raise Refused("that is no role of a process")
            path = self.places.keys / f"{name}.pub"
            if not path.exists():
                self.system.run(str(python), "-I", "-m", "swarm.cli.main", "keys", "new", name,
                                "--role", role, "--keys", str(self.places.keys), as_user=USER)
            found[name] = path.read_text()
        return {"keys": found}

    def enrol(self, given: Given) -> Given:
        """Hear the owners of these keys, and nobody else. Processes follow while they run. given: keys by name."""
        folder = self.places.keys / "enrolled"
        wanted = {f"{name}.pub": str(given["keys"][name]) for name in self._names(given["keys"])}
        if not self.places.board.exists():
            raise Refused("this board was never set up")
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        changed = 0
        for path in folder.glob("*.pub"):
            if path.name not in wanted:
                path.unlink()
                changed += 1
        for name, text in wanted.items():
            path = folder / name
            if not path.exists() or path.read_text() != text:
                write_file(path, text.encode())
                changed += 1
        sync_folder(folder)
        return {"changed": changed}

    def _names(self, names: Any) -> list[str]:
        if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
            raise Refused("that is no name of a process")
        return list(names)

    def _site(self, number: int) -> str:
        return manifest.of_release(number, self.places, self.system).site

    # --- running ---

    def switch(self, given: Given) -> Given:
        """Put a release on trial. given: release; 0: the previous one. Raises: Refused."""
        asked, current = int(given["release"]), self.places.number(self.places.current)
        number = asked or self.places.number(self.places.previous)
        if not number or (not asked and number == current):
            raise Refused("there is no previous release on this board")
        if number == current and not given.get("again"):
            return self.status({})
        self.trial.switch(number)
        return self.status({})

    def put_back(self, given: Given) -> Given:
        """Let the release before run again: its wave has failed elsewhere. given: release, why."""
        places = self.places
        number, trial = int(given["release"]), read_json(places.trial)
        if places.number(places.current) != number:
            return self.status({})
        self.system.systemctl("stop", units.TRIAL, check=False)
        before = int(trial.get("before", places.number(places.previous)))
        self.trial.put_back(number, before, Verdict(gate="wave", why=str(given["why"])))
        return self.status({})

    def status(self, given: Given) -> Given:
        """What runs, and how it is."""
        places, system = self.places, self.system
        names = units.names(places.current / "config")
        trial = read_json(places.trial)
        board = read_json(places.board)
        return {
            "name": board.get("name", ""), "highest": board.get("highest", 0),
            "current": places.number(places.current), "previous": places.number(places.previous),
            "trial": trial.get("release", 0), "last": read_json(places.last),
            "units": dict(zip(names, system.units(names), strict=True)),
            "processes": {path.stem: read_json(path) for path in sorted(places.runtime.glob("*.json"))},
            "power_mode": system.power_mode(),
            "free_bytes": system.free_bytes(places.home if places.home.exists() else places.root),
        }

    def logs(self, given: Given) -> Given:
        """The last lines of all units. given: lines."""
        names = [*units.names(self.places.current / "config"), units.TRIAL]
        return {"lines": self.system.log(names, min(int(given.get("lines", 50)), LOG_LINES))}


@contextlib.contextmanager
def locked(places: Places) -> Any:
    """Only one operator changes a board at a time. Raises: Refused."""
    places.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another push changes this board now") from None
        yield
    finally:
        os.close(descriptor)
