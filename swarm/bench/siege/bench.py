"""Attacks on a real agent, and what its own stream and an honest peer have left.

The attacker is pinned to one core; the victim, with 1,024 open files at most, the honest peer, its launcher and its
world to another. The reference, interleaved, is the same attack on a listener that shares the victim's core. Each
attack states the rate that it reached.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from swarm.bench.siege.attacker import ATTACKERS
from swarm.bench.siege.wires import Where
from swarm.bench.siege.words import NAMES, SWARM, VICTIM, Allies, Measure, Measured, Offered, Target, Up
from swarm.bench.support.child import ENVIRONMENT, ISOLATED, Child
from swarm.bench.support.host import host_state
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.messages import Member
from swarm.core.settings import rules, yaml_text
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile
from swarm.net.security.key_folder import KeyFolder
from swarm.telemetry.text_table import text_table

FILES = 1024
LEAST_S, MOST_S = 0.1, 600.0         # of one attack
LEAST_SERVED, ON_TIME_LOSS, MORE_LATE_MS, MOST_GROWTH_MB = 0.95, 0.05, 5.0, 32.0
BOARD = Board(speed={"fp32": 1.0, "int8": 1.0}, power_w=1, source="this machine", emulated=False)
BEHAVIOUR = {"gossip_of_found": "search_rescue"}     # which it speaks to; others run without one
STREAM = StreamSpec(name="detect", model="detector", rate_hz=20.0, deadline_s=0.1, priority=2)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One attack. What ends in `_ref` is of the same attack on the listener."""

    attack: str
    attacker: str                    # stranger | member
    rate_per_s: float                # that it reached: connections or messages
    on_time: float                   # of the own stream
    on_time_ref: float
    honest_served: float             # of the honest peer's asks
    honest_served_ref: float
    loop_late_ms_p99: float
    loop_late_ms_p99_ref: float
    rss_growth_mb: float
    forged: int
    alive: bool
    holds: bool                      # all that the defences promise


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All attacks, worst first where the bench is read by people."""

    seconds: float
    host: str
    cores: int
    rows: list[Row]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--seconds", type=float, default=5.0, help="of each attack, and of each reference (5)")
    p.add_argument("--only", metavar="ATTACK", nargs="+", default=[], help="these attacks (all)")


def attacks() -> list[tuple[str, str]]:
    """Attacker and attack, of all there are."""
    return [(attacker, attack) for attacker, some in ATTACKERS.items() for attack in some]


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: ChildError, and BadInput for an attack that there is not, or an odd duration."""
    if not LEAST_S <= given.seconds <= MOST_S:
        raise BadInput("--seconds", f"{given.seconds:g}", f"from {LEAST_S:g} to {MOST_S:g}")
    for name in given.only:
        rules.known(name, [attack for _, attack in attacks()], "--only", "attack")
    cores = sorted(os.sched_getaffinity(0))
    chosen = [(attacker, attack) for attacker, attack in attacks() if attack in given.only or not given.only]
    rows: list[Row] = []
    state = host_state()
    for k, (attacker, attack) in enumerate(chosen):
        progress(f"{attack} ({k + 1} of {len(chosen)})")
        sides = [_side(attacker, attack, given.seconds, cores, reference) for reference in (True, False)]
        rows.append(_row(attacker, attack, *sides))
    return Figures(seconds=given.seconds, host=state, cores=len(cores), rows=rows)


class _Side(msgspec.Struct, frozen=True):
    measured: Measured
    offered: Offered
    alive: bool


def _side(attacker: str, attack: str, for_s: float, cores: list[int], reference: bool) -> _Side:
    """One attack, on a new victim or on the listener beside a new victim."""
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyFolder(Path(folder) / "keys")
        for name in NAMES:
            keys.enrol(keys.new(name, durable=False).key, durable=False)
        with Child("swarm.bench.siege.allies", str(keys.path)) as allies, \
                Child("swarm.bench.siege.wires", "listen") as listener, \
                Child("swarm.bench.siege.attacker", attacker, attack) as enemy:
            for child, core in ((allies, cores[0]), (listener, cores[0]), (enemy, cores[-1])):
                os.sched_setaffinity(child.pid, {core})
            victim = _victim(Path(folder), allies.receive(Allies).launcher, cores[0], BEHAVIOUR.get(attack, ""))
            try:
                up = allies.receive(Up)
                target = _target(up, for_s, str(keys.path))
                if reference:
                    where = listener.receive(Where)
                    target = msgspec.structs.replace(
                        target, urgent=where.urgent, bulk=where.bulk, public_key=where.public_key,
                        launcher=where.urgent, launcher_key=where.public_key)
                enemy.send(target)
                allies.send(Measure(for_s=for_s))
                measured, offered = allies.receive(Measured), enemy.receive(Offered)
                return _Side(measured, offered, victim.poll() is None)
            finally:
                victim.kill()
                victim.wait()


def _victim(folder: Path, launcher: Member, core: int, behaviour: str) -> subprocess.Popen[bytes]:
    path = folder / f"{VICTIM}.yaml"
    path.write_text(yaml_text.dump(AgentFile(
        version=1, name=VICTIM, swarm=SWARM, board_name="host", board=BOARD, streams=[STREAM], policy="greedy",
        behaviour=behaviour, team=[VICTIM], keys=str(folder / "keys"), launcher=launcher)))
    victim = subprocess.Popen(
        [sys.executable, *ISOLATED, "-m", "swarm.cli.main", "agent", str(path)], stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, **ENVIRONMENT})
    os.sched_setaffinity(victim.pid, {core})
    resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    return victim


def _target(up: Up, for_s: float, keys: str) -> Target:
    return Target(
        urgent=up.victim.urgent, bulk=up.victim.bulk, public_key=up.victim.public_key, boot=up.victim.boot, keys=keys,
        launcher=up.launcher.urgent, launcher_key=up.launcher.public_key, for_s=for_s)


def _row(attacker: str, attack: str, reference: _Side, besieged: _Side) -> Row:
    ref, now = reference.measured, besieged.measured
    own, own_ref = _share(now.own_on_time, now.own), _share(ref.own_on_time, ref.own)
    served, served_ref = _share(now.served, now.asked), _share(ref.served, ref.asked)
    growth_mb = (now.rss_most_bytes - now.rss_before_bytes) / 1e6
    holds = (besieged.alive and not now.forged and served >= LEAST_SERVED * served_ref and own >= own_ref - ON_TIME_LOSS
             and now.late_ms_p99 <= ref.late_ms_p99 + MORE_LATE_MS and growth_mb <= MOST_GROWTH_MB)
    return Row(
        attack=attack, attacker=attacker, rate_per_s=round(besieged.offered.count / besieged.offered.took_s, 1),
        on_time=own, on_time_ref=own_ref, honest_served=served, honest_served_ref=served_ref,
        loop_late_ms_p99=now.late_ms_p99, loop_late_ms_p99_ref=ref.late_ms_p99, rss_growth_mb=round(growth_mb, 1),
        forged=now.forged, alive=besieged.alive, holds=holds)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def as_text(figures: Figures) -> str:
    """A line per attack; what does not hold is marked."""
    head = ("attack", "by", "per s", "on time", "(ref)", "served", "(ref)", "late ms", "(ref)", "grew MB", "")
    rows = [(row.attack, row.attacker, f"{row.rate_per_s:.0f}", f"{row.on_time:.3f}", f"{row.on_time_ref:.3f}",
             f"{row.honest_served:.3f}", f"{row.honest_served_ref:.3f}", f"{row.loop_late_ms_p99:.1f}",
             f"{row.loop_late_ms_p99_ref:.1f}", f"{row.rss_growth_mb:.1f}", "" if row.holds else "FAILS")
            for row in figures.rows]
    return (f"{text_table(head, rows)}\n{sum(row.holds for row in figures.rows)} of {len(figures.rows)} hold; "
            f"{figures.seconds:g} s each; host: {figures.host}, {figures.cores} cores\n")
