"""The bench of attacks: what counts as held, and that every attack attacks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.bench.siege import bench
from swarm.bench.siege.attacker import ATTACKERS
from swarm.bench.siege.bench import Figures, Row, _row, _Side, as_text
from swarm.bench.siege.wires import Where
from swarm.bench.siege.words import ATTACKER, Measured, Offered, Target
from swarm.bench.support.child import Child
from swarm.core.clock import MonotonicClock
from swarm.net.security.key_folder import KeyFolder

QUIET = Measured(own=100, own_on_time=100, asked=50, served=50, late_ms_p99=1.0, rss_before_bytes=10**8,
                 rss_most_bytes=10**8, forged=0)


def row(alive: bool = True, **changes: float) -> Row:
    besieged = msgspec.structs.replace(QUIET, **changes)
    return _row("idle", "stranger", _Side(QUIET, Offered(count=0, took_s=1.0), True),
                _Side(besieged, Offered(count=500, took_s=2.0), alive))


def test_an_attack_is_held_within_the_limits_and_not_beyond() -> None:
    held = row(own_on_time=95, served=48, late_ms_p99=6.0, rss_most_bytes=10**8 + 32 * 10**6)
    assert held.holds
    assert (held.rate_per_s, held.on_time, held.honest_served, held.rss_growth_mb) == (250.0, 0.95, 0.96, 32.0)
    beyond = [row(alive=False), row(own_on_time=94), row(served=47), row(late_ms_p99=6.1), row(forged=1),
              row(rss_most_bytes=10**8 + 33 * 10**6), row(own=0), row(asked=0)]
    assert not any(one.holds for one in beyond)
    shown = as_text(Figures(seconds=1.0, host="quiet", cores=2, rows=[held, beyond[0]]))
    assert "1 of 2 hold" in shown
    assert shown.count("FAILS") == 1


def test_there_are_attacks_of_strangers_and_of_members() -> None:
    assert len(bench.attacks()) >= 16
    assert {attacker for attacker, _ in bench.attacks()} == {"stranger", "member"}
    names = [attack for _, attack in bench.attacks()]
    assert len(set(names)) == len(names)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    keys = KeyFolder(Path(tmp_path_factory.mktemp("siege")) / "keys")
    keys.enrol(keys.new(ATTACKER, durable=False).key, durable=False)
    with Child("swarm.bench.siege.wires", "listen") as listener:
        where = listener.receive(Where)
        yield Target(urgent=where.urgent, bulk=where.bulk, public_key=where.public_key, boot=1, keys=str(keys.path),
                     launcher=where.urgent, launcher_key=where.public_key, for_s=0.05)


@pytest.mark.parametrize(("attacker", "attack"), bench.attacks())
def test_every_attack_reaches_a_listener(target: Target, attacker: str, attack: str) -> None:
    count = 0
    while not count:                                         # a connection takes its time
        count = ATTACKERS[attacker][attack](target, MonotonicClock())
    assert count > 0
