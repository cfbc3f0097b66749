"""The steps of a push to one board. Each can be cut off anywhere, and repeated."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import msgspec

from swarm.deploy import configuration, keeper_archive
from swarm.deploy.boards.answers import NEVER_SET_UP, Done, Keys, Offered, Status
from swarm.deploy.boards.facts import Facts, ask, target_for
from swarm.deploy.boards.ports import KEEPER, BoardPort, NotUsable, keeper
from swarm.deploy.bundles import bundle
from swarm.deploy.bundles.store import Files
from swarm.deploy.rollout.fleet import Fleet, Release
from swarm.deploy.targets import Target

UPLOAD = ".swarm-keeper.pyz"          # in the home of the login: nobody else may change what root then runs
SEND_S = 3600.0                      # for all files of a release over a slow radio
ROUNDS = 5
STAGE_S = 900.0                      # a slow board compiles and hashes all of them
Progress = Callable[[str], None]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a board said before a push."""

    facts: Facts
    target: Target
    status: Status                   # of its keeper


def asked(fleet: Fleet, robot: str, board: BoardPort) -> Asked:
    """Ask a board; nothing changes. Raises: Unreachable, NotUsable."""
    facts = ask(board)
    target = target_for(facts, fleet.inventory.at[robot].target)
    return Asked(facts=facts, target=target, status=keeper(board, "status", Status) if facts.keeper else NEVER_SET_UP)


class Made:
    """The releases of all boards; trees of equal targets and parts are made once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._sites: dict[tuple[str, tuple[str, ...], bool], bundle.Bundle] = {}

    def site(self, robot: str, target: Target) -> bundle.Bundle:
        read = self._fleet.read
        board = read.boards[read.inventory.board_of(robot)]
        parts, gpu = configuration.parts_of(read, robot), board.providers[0] != "cpu"
        key = target.name, tuple(parts), gpu
        if key not in self._sites:
            given = [read.beside(name) for name in (read.inventory.wheels, read.inventory.runtimes) if name]
            self._sites[key] = bundle.make(target, parts, self._fleet.files, given, gpu=gpu)
            bundle.check_complete(self._sites[key], f"{read.path}: {robot}")
        return self._sites[key]

    def configuration(self, robot: str) -> dict[str, bytes]:
        """The files of a board's configuration. Raises: BadInput."""
        return configuration.files_of(self._fleet.read, robot)

    def release(self, robot: str, target: Target) -> Release:
        """The release that a board is to run. Raises: BadInput."""
        site = self.site(robot, target)
        config = self._fleet.files.tree(self.configuration(robot))
        return self._fleet.release(robot, target.name, site.tree, config, target.python, target.machine)


def set_up(fleet: Fleet, robot: str, board: BoardPort, seen: Asked) -> None:
    """Install the keeper, or bring it up to date. Raises: Unreachable, NotUsable."""
    archive = keeper_archive.content()
    if seen.facts.keeper:
        done = board.run("sha256sum", KEEPER, root=True)
        if done.out.split()[:1] == [hashlib.sha256(archive).hexdigest().encode()]:
            return
    done = board.run("sh", "-c", f"umask 077; cat > {UPLOAD}", stdin=archive)
    if done.code:
        raise NotUsable(f"the keeper cannot be copied there: {done.err.strip()}")
    keeper(board, "install", Done, {
        "name": robot, "signer": fleet.signer.allowed(), "unit": configuration.unit_file("swarm-trial.service"),
        "journal": configuration.unit_file("journald.conf")}, at=UPLOAD)
    board.run("rm", "-f", UPLOAD)


def stage(fleet: Fleet, board: BoardPort, release: Release, older: bool, progress: Progress) -> int:
    """Send what is missing, and put the release together beside the one that runs. Returns the bytes of files sent."""
    content, signature = fleet.signed(release)
    offer = {"manifest": base64.b64encode(content).decode(), "signature": base64.b64encode(signature).decode(),
             "older": older}
    sent = 0
    for _ in range(ROUNDS):                          # lists of trees, then their files
        missing = lacking(fleet.files, release, keeper(board, "offer", Offered, offer, limit_s=STAGE_S))
        if not missing:
            break
        total = sum(fleet.files.path(name).stat().st_size - have for name, have in missing.items())
        sent += total
        progress(f"{release.board}: sending {len(missing)} files, {total / 1e6:.1f} MB before compression")
        keeper(board, "receive", Done, files=fleet.files.stream(missing.items()), limit_s=SEND_S)
    progress(f"{release.board}: putting release {release.number} together")
    keeper(board, "stage", Done, {"release": release.number}, limit_s=STAGE_S)
    keeper(board, "sweep", Done, {"keep": release.number})
    return sent


def lacking(files: Files, release: Release, offered: Offered) -> dict[str, int]:
    """The files that a board lacks, each with the bytes of it that have come.

    Raises: NotUsable if it asks for one that is not of its release: a board gets no other file of the operator.
    """
    trees = (release.site, release.config)
    sizes = {tree: files.path(tree).stat().st_size for tree in trees} | {
        entry.hash: entry.size for tree in trees for entry in files.entries(tree)}
    for name, have in offered.missing:
        if have > sizes.get(name, -1):
            raise NotUsable("it asks for a file that is not of its release")
    return dict(offered.missing)


def runs(status: Status, release: Release) -> bool:
    """Whether a board runs this release already, and is not on trial."""
    return status.current == release.number and not status.trial


def roles(fleet: Fleet, robot: str) -> dict[str, str]:
    """The processes of a board, and the role of each in the swarm."""
    return {place.name: configuration.role_of(place) for place in configuration.on_board(fleet.read, robot)}


def keys_of(fleet: Fleet, robot: str, board: BoardPort, release: Release) -> dict[str, str]:
    """The public keys of a board's processes; it makes the secret ones itself. Raises: Unreachable, NotUsable."""
    names = roles(fleet, robot)
    found = keeper(board, "keys", Keys, {"release": release.number, "names": names}, limit_s=120.0).keys
    if found.keys() != names.keys():
        raise NotUsable("it sent other keys than those of its own processes")
    return found
